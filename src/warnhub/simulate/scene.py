"""A whole stage: WarnHub's provider settings and the simulated carriers that fit them, with fresh secrets each time."""

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import BaseModel, Field

from warnhub.simulate.broker import serve_broker
from warnhub.simulate.carrier import Faults
from warnhub.simulate.carriers import CARRIERS, CarrierPlan, CarriersPlan, make_carrier, served, stop_signals
from warnhub.simulate.ports import HOST, free_ports
from warnhub.simulate.townsfolk import Townsfolk
from warnhub.simulate.village import VillageFaults, serve_village

TEMPLATES = {
    "SMS_PUBLIC": "${level}${hazard}预警,${action}。${area},${agency}${time}发布。",
    "SMS_LINK": "${level}${hazard}预警,${action}。请确认{base}/a/${code} 或回复${reply}。${area},${agency}${time}发布。",
}
PARAMS = {"level": "level", "hazard": "hazard", "action": "action", "area": "area", "agency": "agency", "time": "time"}
FIELDS = {"thing1": "hazard", "phrase2": "level", "thing3": "area", "time4": "time", "thing5": "action"}


class Scene(BaseModel):
    """What a run of the simulators needs to know; written to a file that only its owner can read."""

    base: str
    ports: dict[str, int]
    secrets: dict[str, str]
    public_key: str
    private_key: str
    speakers: list[str] = Field(default_factory=list)
    faults: dict[str, Faults] = Field(default_factory=dict)
    village: VillageFaults = VillageFaults()
    share: float = 0.7
    pace: float = 20.0
    broker: bool = True

    def url(self, name: str) -> str:
        """Where a carrier listens."""
        return f"http://{HOST}:{self.ports[name]}"


def make_scene(base: str, speakers: Iterable[str] = (), **given: Any) -> Scene:
    """A stage for a WarnHub at `base`, with free ports."""
    key = rsa.generate_private_key(65_537, 2_048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    names = ("twilio", "aliyun", "aliyun_report", "wechat", "wechat_token", "jpush", "voice")
    return Scene(
        base=base,
        ports=free_ports([*CARRIERS, "mqtt"]),
        secrets={name: secrets.token_hex(16) for name in names},
        public_key=public,
        private_key=private,
        speakers=list(speakers),
        **given,
    )


def number_settings(scene: Scene) -> dict[str, dict[str, Any]]:
    """Who reaches telephone numbers: short messages and calls."""
    hidden = scene.secrets
    return {
        "sms.aliyun": {
            "base_url": scene.url("aliyun"),
            "access_key_id": "LTAI5tSimulated",
            "access_key_secret": hidden["aliyun"],
            "sign_name": "云岭应急",
            "template_public": "SMS_PUBLIC",
            "template_link": "SMS_LINK",
            "params": PARAMS | {"code": "link_code", "reply": "reply_code"},
            "report_key": hidden["aliyun_report"],
            "rate": 400,
            "parallel": 40,
            "weight": 2.0,
            "price": "0.045",
            "routes": ["cn"],
        },
        "sms.twilio": {
            "base_url": scene.url("twilio"),
            "account_sid": "AC" + "5" * 32,
            "auth_token": hidden["twilio"],
            "sender": "+15005550006",
            "rate": 200,
        },
        "voice.twilio": {
            "base_url": scene.url("voice"),
            "account_sid": "AC" + "7" * 32,
            "auth_token": hidden["voice"],
            "caller": "+15005550006",
            "rate": 40,
            "parallel": 20,
            "trunk": 200,
        },
    }


def provider_settings(scene: Scene, audio_dir: Path | None = None) -> dict[str, dict[str, Any]]:
    """WarnHub's `providers` section for this stage."""
    hidden = scene.secrets
    loud: dict[str, Any] = {"host": HOST, "port": scene.ports["mqtt"]}
    if audio_dir is not None:
        loud |= {"audio_dir": str(audio_dir), "audio_url": f"{scene.base}/audio"}
    return {
        **number_settings(scene),
        "wechat.template": {
            "base_url": scene.url("wechat"),
            "appid": "wx5a1e0000c0ffee00",
            "secret": hidden["wechat"],
            "template_id": "T-WARN",
            "fields": FIELDS,
            "token": hidden["wechat_token"],
            "rate": 1_000,
            "price": "0",
            "daily": 100_000,
            "parallel": 60,
        },
        "push.jpush": {
            "base_url": scene.url("jpush"),
            "report_url": scene.url("jpush"),
            "app_key": "5a1e00000000000000000000",
            "master_secret": hidden["jpush"],
            "rate": 10,
            "poll": 1.0,
            "routes": ["jpush"],
        },
        "push.fcm": {
            "base_url": scene.url("fcm"),
            "token_uri": f"{scene.url('fcm')}/token",
            "project_id": "warnhub",
            "client_email": "desk@warnhub.example",
            "private_key": scene.private_key,
            "rate": 1_000,
            "parallel": 60,
            "routes": ["fcm"],
        },
        "loudspeaker.mqtt": loud,
    }


def carriers_plan(scene: Scene) -> CarriersPlan:
    """The carriers of this stage."""
    hidden = scene.secrets
    hooks = f"{scene.base}/hooks"
    templates = {name: text.replace("{base}", scene.base) for name, text in TEMPLATES.items()}
    options: Mapping[str, dict[str, Any]] = {
        "twilio": {"account_sid": "AC" + "5" * 32, "auth_token": hidden["twilio"]},
        "aliyun": {
            "report_url": f"{hooks}/sms/aliyun?key={hidden['aliyun_report']}",
            "access_key_id": "LTAI5tSimulated",
            "access_key_secret": hidden["aliyun"],
            "templates": templates,
        },
        "wechat": {
            "report_url": f"{hooks}/wechat/template",
            "secret": hidden["wechat"],
            "token": hidden["wechat_token"],
            "template_id": "T-WARN",
        },
        "fcm": {"public_key": scene.public_key},
        "voice": {"account_sid": "AC" + "7" * 32, "auth_token": hidden["voice"]},
        "jpush": {"master_secret": hidden["jpush"]},
    }
    plans = {
        name: CarrierPlan(port=scene.ports[name], faults=scene.faults.get(name, Faults()), options=options[name])
        for name in CARRIERS
    }
    return CarriersPlan(carriers=plans)


async def play_scene(scene: Scene, *, attached: bool = False) -> None:
    """Run everything on the stage until the process is told to end; `attached`: or until the process that began it is gone."""
    plan = carriers_plan(scene)
    folk = Townsfolk(scene.share)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(folk.close)
        for name, one in plan.carriers.items():
            carrier = make_carrier(name, one)
            carrier.hear = folk.hear
            await stack.enter_async_context(served(carrier, plan.host, plan.port_of(name)))
        if scene.broker:
            await stack.enter_async_context(serve_broker(scene.ports["mqtt"], HOST))
        if scene.speakers:
            groups = max(1, min(8, len(scene.speakers) // 50))
            village = serve_village(
                HOST, scene.ports["mqtt"], scene.speakers, faults=scene.village, pace=scene.pace, gateways=groups
            )
            await stack.enter_async_context(village)
        ended = stack.enter_context(stop_signals())
        print(json.dumps({"ready": {name: scene.url(name) for name in CARRIERS}}), flush=True)  # noqa: T201 - its parent waits
        parent = os.getppid()
        while not ended.is_set() and not (attached and os.getppid() != parent):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), 1)


if __name__ == "__main__":
    # A process of its own that loads nothing of WarnHub's but the simulators.
    asyncio.run(play_scene(Scene.model_validate_json(Path(sys.argv[1]).read_text("utf-8")), attached=True))
