"""The process of one attempt: loads the one rotator, does the one thing, answers, ends."""

import asyncio
import os
import re
import signal
import socket
import traceback
from collections.abc import Callable, Coroutine
from importlib.metadata import EntryPoint
from typing import Any, NoReturn, cast

import msgspec

from secretsd.adapters.child import harden
from secretsd.adapters.frames import BadFrame
from secretsd.adapters.rotator_host.wire import (
    MAX_DETAIL,
    REASON_PATTERN,
    Applied,
    Channel,
    Checked,
    Described,
    Done,
    Failed,
    Heading,
    Idle,
    Note,
    NoteStored,
    Prepared,
    Probed,
    Started,
    Work,
)
from secretsd.domain.errors import InvalidRequest
from secretsd.domain.rotation import MachineKind
from secretsd.ports.rotator import (
    Job,
    JobOrder,
    RotationFailed,
    Rotator,
    RotatorDescription,
    StagedSecret,
    TargetAccess,
    TargetOrder,
)

_CONNECTION_FD = 3
_PORT_METHODS = ("prepare", "apply", "settle", "probe", "verify")
_OPTIONAL_METHODS = ("issue", "idle", "revoke", "restore")
# Of a validation error's sentences only those that speak of the schema; others quote what was given.
_SAYS_NO_VALUE = re.compile(r"(Expected `|Object missing required field `)[^\n]{0,150}\Z")


def run(connection: socket.socket, heading: Heading, entry_point: EntryPoint, host_pid: int) -> NoReturn:
    """Become the attempt, in a process just forked by the host; never returns."""
    try:
        _detach(connection, host_pid)
        asyncio.run(_attempt(heading, entry_point))
    except BaseException:  # noqa: BLE001  # whatever it is, it may hold values, and nothing here may show it
        os._exit(1)
    os._exit(0)


def _detach(connection: socket.socket, host_pid: int) -> None:
    """Keep the connection and nothing else of the host; what a rotator prints goes nowhere."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    os.dup2(connection.fileno(), _CONNECTION_FD, inheritable=False)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.closerange(_CONNECTION_FD + 1, os.sysconf("SC_OPEN_MAX"))
    harden(control_fd=None)
    if os.getppid() != host_pid:  # the host died before the death signal was asked for
        os._exit(1)


async def _attempt(heading: Heading, entry_point: EntryPoint) -> None:
    channel = Channel(*await asyncio.open_unix_connection(sock=socket.socket(fileno=_CONNECTION_FD)))
    try:
        rotator = _load(entry_point)  # before it says that it is there: callers may wait for what comes after
    except Exception as error:  # noqa: BLE001  # a rotator's module may raise anything
        await channel.send(Failed("crashed", _place(error)))
        return
    await channel.send(Started())
    work = await channel.receive(Work)
    try:
        answer = await _answer(channel, heading, work, rotator)
    except RotationFailed as failure:
        known = re.fullmatch(REASON_PATTERN, failure.reason) is not None
        failed = Failed(failure.reason, failure.detail[:MAX_DETAIL], failure.away)
        answer = failed if known else Failed("crashed", "RotationFailed")
    except (ConnectionError, EOFError):
        raise  # the worker hung up: there is nobody to answer
    except Exception as error:  # noqa: BLE001  # a rotator may raise anything; its text may hold values
        answer = Failed("crashed", _place(error))
    await channel.send(answer)


async def _answer(channel: Channel, heading: Heading, work: Work, rotator: Rotator) -> msgspec.Struct:
    if heading.method == "describe":
        return Described(_describe(rotator))
    if heading.method == "check":
        return Checked(_checked(rotator, work))
    if work.order is None or work.order.rotator != heading.rotator or work.order.account != heading.account:
        raise BadFrame("cannot start the attempt: its order is missing, or another one than its heading says")
    job = _job(rotator, work.order)

    async def note(data: bytes) -> None:
        await channel.send(Note(bytes(data)))
        await channel.receive(NoteStored)

    async def probe() -> msgspec.Struct:
        wanted: tuple[StagedSecret, ...] = work.versions
        found = await rotator.probe(job, wanted)
        return Probed({version.version_id: found[version.version_id] for version in wanted})

    async def prepare() -> msgspec.Struct:
        return Prepared(await rotator.prepare(job))

    async def apply() -> msgspec.Struct:
        return Applied(await rotator.apply(job, note))

    async def settle() -> msgspec.Struct:
        await rotator.settle(job)
        return Done()

    async def verify() -> msgspec.Struct:
        await rotator.verify(job)
        return Done()

    async def idle() -> msgspec.Struct:
        return Idle(await _able(rotator, "idle")(job))

    async def restore() -> msgspec.Struct:
        return Applied(await _able(rotator, "restore")(job))

    async def revoke() -> msgspec.Struct:
        (version,) = work.versions
        await _able(rotator, "revoke")(job, version)
        return Done()

    methods: dict[str, Callable[[], Coroutine[Any, Any, msgspec.Struct]]] = {
        "prepare": prepare,
        "apply": apply,
        "settle": settle,
        "probe": probe,
        "verify": verify,
        "idle": idle,
        "restore": restore,
        "revoke": revoke,
    }
    return await methods[heading.method]()


def _load(entry_point: EntryPoint) -> Rotator:
    kind = entry_point.load()
    if getattr(kind, "name", None) != entry_point.name or not isinstance(getattr(kind, "Settings", None), type):
        raise TypeError("cannot use the rotator: its name is another one, or it has no Settings")
    if missing := [method for method in _PORT_METHODS if not callable(getattr(kind, method, None))]:
        raise TypeError(f"cannot use the rotator: it has no {missing[0]}")
    if not isinstance(getattr(kind, "machine", None), MachineKind):
        raise TypeError("cannot use the rotator: it does not say on which machine it runs")
    rotator: Rotator = kind()
    return rotator


def _able(rotator: Rotator, method: str) -> Callable[..., Coroutine[Any, Any, Any]]:
    """One of the optional methods, or RotationFailed `unable`."""
    found = getattr(rotator, method, None)
    if found is None:
        raise RotationFailed("unable", f"it has no {method}")
    return cast(Callable[..., Coroutine[Any, Any, Any]], found)


def _checked(rotator: Rotator, work: Work) -> str:
    if work.address is None:
        found = _settings(rotator, work.settings or "")
    elif (address := getattr(rotator, "Address", None)) is None:
        raise RotationFailed("bad-settings", "this rotator needs no target")
    else:
        found = _decoded(address, work.address)
    return msgspec.json.encode(found, order="deterministic").decode()


def _describe(rotator: Rotator) -> RotatorDescription:
    lines = (type(rotator).__doc__ or "").strip().splitlines()
    return RotatorDescription(
        name=rotator.name,
        summary=lines[0] if lines else "",
        settings_schema=msgspec.json.schema(rotator.Settings),
        abilities=frozenset(name for name in _OPTIONAL_METHODS if callable(getattr(rotator, name, None))),
        machine=rotator.machine,
        address_schema=None if (address := getattr(rotator, "Address", None)) is None else msgspec.json.schema(address),
        notes_first=getattr(rotator, "notes_first", False) is True,
    )


def _settings(rotator: Rotator, text: str) -> Any:
    return _decoded(rotator.Settings, text)


def _decoded(kind: type, text: str) -> Any:
    """Settings or an address, or RotationFailed `bad-settings` whose detail names the place and never a value."""
    try:
        return msgspec.json.decode(text, type=kind)
    except InvalidRequest as error:
        raise RotationFailed("bad-settings", error.message) from None
    except msgspec.ValidationError as error:
        sentence, _, place = str(error).partition(" - at `")
        said = (
            sentence if _SAYS_NO_VALUE.match(sentence) else "there is an unknown field, or a value that is not allowed"
        )
        raise RotationFailed("bad-settings", f"{said}, at {place.rstrip('`') or '$'}") from None
    except msgspec.DecodeError:
        raise RotationFailed("bad-settings", "it is no JSON") from None


def _job(rotator: Rotator, order: JobOrder) -> Job:
    return Job(
        secret=order.secret,
        settings=_settings(rotator, order.settings),
        epoch=order.epoch,
        current=order.current,
        candidate=order.candidate,
        previous=order.previous,
        journal=order.journal,
        secret_id=order.secret_id,
        logins=order.logins,
        target=None if order.target is None else _target(rotator, order.target),
    )


def _target(rotator: Rotator, order: TargetOrder) -> TargetAccess:
    address = getattr(rotator, "Address", None)
    if address is None:
        raise RotationFailed("bad-settings", "this rotator needs no target")
    return TargetAccess(order.name, _decoded(address, order.address), order.admin_login, order.admin)


def _place(error: BaseException) -> str:
    """The error's type and the line that raised it: enough to find it, without a word of its text."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"[:MAX_DETAIL]
