"""`warnhub simulate carriers | county`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel

from warnhub.commands import asynchronous, fail, open_store, out
from warnhub.simulate.carrier import Faults
from warnhub.simulate.carriers import CARRIERS, PlanError, parse_faults
from warnhub.simulate.county import Occupied, load_county, write_county
from warnhub.simulate.scene import Scene, make_scene, play_scene, provider_settings
from warnhub.simulate.village import VillageFaults
from warnhub.store.migrate import upgrade_store

simulate = typer.Typer(help="模拟运营商与虚构县 / simulated carriers and a fictional county.", no_args_is_help=True)

MODELS: Mapping[str, type[BaseModel]] = {**dict.fromkeys(CARRIERS, Faults), "village": VillageFaults}


@simulate.command("carriers")
@asynchronous
async def carriers(
    base: Annotated[str, typer.Option(help="WarnHub's public URL, for call-backs")] = "http://127.0.0.1:8080",
    fault: Annotated[list[str] | None, typer.Option(help="provider.fault=value, e.g. aliyun.undelivered=0.02")] = None,
    first_port: Annotated[int, typer.Option(help="ports from here on; 0: free ones")] = 9101,
    speakers: Annotated[Path | None, typer.Option(help="file with loudspeaker addresses area12/device, one a line")] = None,
    share: Annotated[float, typer.Option(help="share of people who confirm by their link")] = 0.7,
) -> None:
    """Twilio、阿里云、微信、FCM、极光与 MQTT 村庄 / all carriers on real sockets, with faults on demand."""
    try:
        played = make_scene(base, speakers.read_text("utf-8").split() if speakers else (), share=share)
        if first_port:
            ports = {name: first_port + n for n, name in enumerate([*CARRIERS, "mqtt"])}
            played = played.model_copy(update={"ports": ports})
        show_settings(played)
        faults = parse_faults(fault or (), MODELS)
        village = faults.pop("village", played.village)
        played = played.model_copy(update={"faults": played.faults | faults, "village": village})
        await play_scene(played)
    except PlanError as error:
        fail(str(error))


def show_settings(scene: Scene) -> None:
    """The section of warnhub.toml that fits."""
    for name, section in provider_settings(scene).items():
        out.print(f'[providers."{name}"]', markup=False)
        for key, value in section.items():
            out.print(f"{key} = {toml_value(value)}", markup=False, soft_wrap=True)
        out.print()


def toml_value(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(one) for one in value) + "]"
    if isinstance(value, str):
        return '"""' + value + '"""' if "\n" in value else f'"{value}"'
    return str(value).lower() if isinstance(value, bool) else str(value)


@simulate.command("county")
@asynchronous
async def county(
    residents: Annotated[int, typer.Option(min=1_000, max=10_000_000)] = 20_000,
    seed: int = 1,
    folder: Annotated[Path | None, typer.Option(help="write areas.geojson and the CSV files here instead")] = None,
    new: Annotated[bool, typer.Option("--new", help="make the database's tables first")] = False,
) -> None:
    """虚构的云岭县 / a fictional county, into the database or into files."""
    if folder is not None:
        made = write_county(folder, residents, seed)
    else:
        async with open_store(checked=not new) as (_, store, keys):
            try:
                if new:
                    await upgrade_store(store)
                made = await load_county(store, keys, residents, seed)
            except Occupied as error:
                fail(f"{error}; use a new database, or --folder")
    out.print(f"areas {made.areas}, responsible people {made.staff}, devices {made.devices}, residents {made.residents}")
    out.print(f"households {made.households}, shelters {made.shelters}")
