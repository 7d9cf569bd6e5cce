"""What Alibaba Cloud SMS must be told."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, SecretStr, field_validator, model_validator

from warnhub_sms.dysms import Account
from warnhub_sms.groups import LINK_CODE, NAMES


class AliyunSettings(Account):
    """`params` says which of our words fills which variable of the templates, e.g. `area: area`.

    `template_link` has one more variable, named `link_code` in `params`: the last part of the recipient's link, whose rest
    stands in the template, for no variable may hold a URL. Without it links are left out. A variable named `reply_code` there
    is the digits by which a person may answer. Receipts have no signature, so
    `report_key` goes into the address that Alibaba Cloud is given: `…/hooks/sms/aliyun?key=…`.
    """

    sign_name: str = Field(min_length=2, max_length=12)
    template_public: str = Field(min_length=1)
    template_link: str = ""
    template_international: str = ""
    params: Mapping[str, str] = Field(default_factory=dict)
    extend_code: str = ""
    report_key: Annotated[SecretStr, Field(min_length=16)]
    longest: int = Field(35, ge=8, description="characters that a variable may have")

    @field_validator("params")
    @classmethod
    def known(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        """Only our own names."""
        for name in value.values():
            if name not in NAMES:
                raise ValueError(f"{name} is not one of {', '.join(sorted(NAMES))}")
        return value

    @model_validator(mode="after")
    def whole(self) -> Self:
        """A template for links has a place for one."""
        if self.template_link and LINK_CODE not in self.params.values():
            raise ValueError(f"template_link needs a variable that is {LINK_CODE}")
        return self
