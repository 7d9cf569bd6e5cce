"""The county's signature on what it publishes: XML-DSig, enveloped, RSA or EC with SHA-256, exclusive canonical form.

Source: https://www.w3.org/TR/xmldsig-core1/; CAP 1.2 section 3.3.2.1 has the signature inside `alert`.
"""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureConstructionMethod, SignatureMethod
from signxml.signer import XMLSigner


class SigningError(ValueError):
    """Key and certificate cannot sign; says why and shows neither."""


class Signer:
    """Signs with one key. Raises `SigningError` for a key or certificate that is none, or that do not belong together."""

    def __init__(self, key: str, certificate: str) -> None:
        try:
            loaded = load_pem_private_key(key.encode(), None)
        except (ValueError, TypeError):
            raise SigningError("signing_key: is not a private key in PEM without a passphrase") from None
        try:
            held = x509.load_pem_x509_certificate(certificate.encode())
        except ValueError:
            raise SigningError("signing_certificate: is not a certificate in PEM") from None
        if not isinstance(loaded, RSAPrivateKey | EllipticCurvePrivateKey):
            raise SigningError("signing_key: must be RSA or EC")
        form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if loaded.public_key().public_bytes(*form) != held.public_key().public_bytes(*form):
            raise SigningError("signing_certificate: is not of this signing_key")
        self.key = loaded
        self.certificate = held
        self.fingerprint = held.fingerprint(hashes.SHA256()).hex()
        method = SignatureMethod.RSA_SHA256 if isinstance(loaded, RSAPrivateKey) else SignatureMethod.ECDSA_SHA256
        self.signer = XMLSigner(
            SignatureConstructionMethod.enveloped,
            method,
            DigestAlgorithm.SHA256,
            CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
        )

    def sign(self, document: bytes) -> bytes:
        """The document with a signature as the last child of its root."""
        signed = self.signer.sign(etree.fromstring(document), key=self.key, cert=[self.certificate])
        return etree.tostring(signed, encoding="utf-8", xml_declaration=True)
