"""`odometer restore`, `pause` and `open`: tables go back to an instant, and nothing else changes.

Every step can be done twice, and the last one done is noted in a table that does not go back. So a
run that died, at whatever line, is run again and goes on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from time import sleep
from typing import Annotated, Any, Final, TypeVar

import typer

from odometer.domain.acts import Act, Action
from odometer.domain.errors import Unavailable
from odometer.domain.time import epoch_ms, format_seconds, read_instant
from odometer.engine.format import keys
from odometer.engine.format.log_entries import LOG_SECONDS
from odometer.engine.read.views import View
from odometer.storage.directory import ORGANIZATIONS, BlockCache, DirectoryStore
from odometer.storage.dynamo import Item, Meter, Table
from odometer_cli.deployment import Deployment
from odometer_cli.failure import Misused, Refused
from odometer_cli.maintenance import AsJson
from odometer_cli.output import count_of, err, is_interactive, out, progress_bar, show_json
from odometer_cli.pausing import (
    NOTES,
    RESTORE,
    longest_run_seconds,
    notes_of,
    pause,
    reopen,
    stack_name,
)
from odometer_cli.since import Since, erase_again, noted_since, renew, since
from odometer_cli.table_copies import (
    Differences,
    Progress,
    Restoring,
    as_copied,
    compared,
    make_copy,
    pages,
    restore_table,
    segments_of,
    wait_for,
    with_present_keys,
)

AT_ONCE: Final = 8
MOST_STEPS: Final = 100_000
"""So many steps of an organization are taken here; what is left then is left to the workers.

Where somebody was erased since, nothing may be left: nobody is let in then.
"""
MOST_TRIES: Final = 10
PAUSE_SECONDS: Final = 0.5
LONGEST_WAIT: Final = timedelta(minutes=20)
"""A new lane opens when older ones are settled, which takes minutes where little is sent."""
ASKED_EVERY_SECONDS: Final = 5
SINCE_DIRECTORY: Final = timedelta(minutes=1)
"""Usage goes back so much further than a directory, which then knows all users that folds name."""


Made = TypeVar("Made")


@dataclass
class Run:
    """One restore: what goes back to which instant, and how far it has come."""

    deployment: Deployment
    at: datetime
    usage: str
    """The table with the usage of that instant."""
    directory: str = ""
    """The table with the directories of that instant; empty if there is none."""
    goes_back: bool = False
    """Whether directories go back too, and are not only compared."""
    step: int = 0
    wait: int | None = None
    verifies: bool = True
    begun: str = ""
    """When it began: tells it from another one to the same instant."""
    told: list[str] = field(default_factory=list)
    """What the operator has to look at."""

    @property
    def notes(self) -> Table:
        return notes_of(self.deployment)

    @property
    def then(self) -> DirectoryStore | None:
        """The directories as they were."""
        return directories_in(self.deployment, self.directory) if self.directory else None

    def restoring(self) -> Iterator[tuple[str, Restoring]]:
        """The tables that go back."""
        table, settings = self.deployment.process.table, self.deployment.settings
        yield "usage", Restoring(table(settings.usage_table), table(self.usage), as_copied)
        if self.goes_back:
            pair = table(settings.directory_table), table(self.directory)
            yield "directory", Restoring(*pair, with_present_keys)

    def begin(self) -> None:
        """Note that it begins, together with the entry of the trail."""
        act = Act(Action.RESTORE_BEGUN, details=self.details)
        self.deployment.trail().commit(act, self.notes.write_new(self.to_item()))

    @property
    def details(self) -> dict[str, Any]:
        """What a trail says of it."""
        return {"at": format_seconds(self.at), "directory": self.goes_back}

    def note(self) -> None:
        self.notes.put(self.to_item())

    def to_item(self) -> Item:
        values: Item = {
            "at": format_seconds(self.at),
            "usage": self.usage,
            "directory": self.directory,
            "goes_back": self.goes_back,
            "step": self.step,
            "begun": self.begun,
        }
        return {"pk": NOTES, "sk": RESTORE, **values}


def directories_in(deployment: Deployment, table: str) -> DirectoryStore:
    return DirectoryStore(deployment.process.table(table, Meter()), BlockCache())


def noted_run(deployment: Deployment) -> Run | None:
    """The restore that has begun and not ended."""
    item: Any = notes_of(deployment).get(NOTES, RESTORE)
    if item is None:
        return None
    values = {name: item[name] for name in ("usage", "directory", "goes_back", "step")}
    return Run(deployment, instant_of(item["at"]), begun=item.get("begun", ""), **values)


def instant_of(text: str) -> datetime:
    try:
        instant = read_instant(text)
    except ValueError:
        instant = None
    if instant is None:
        raise Misused(f"{text} is no instant.", "Give one like 2026-11-20T06:00:00Z.")
    return instant.astimezone(UTC)


# the steps


def pause_and_wait(run: Run) -> None:
    """Pause, and wait until runs that had begun have ended."""
    pause(run.deployment)
    seconds = longest_run_seconds(run.deployment) if run.wait is None else run.wait
    with progress_bar("Runs that had begun end", seconds) as progress:
        for _ in range(seconds):
            sleep(1)
            progress.advance(1)


def note_directories(run: Run) -> None:
    """Keep what directories say now, which is not there any more when they have gone back."""
    for each in compared_directories(run):
        run.notes.put_new(each.to_item())


def compared_directories(run: Run) -> Iterator[Since]:
    now, then = run.deployment.directories, run.then
    compare = partial(since, now=now, then=then, goes_back=run.goes_back)
    names = {*now.organizations(), *(then.organizations() if then else ())}
    yield from of_each(sorted(names), "Directories compared", compare)


def put_back(run: Run) -> None:
    for name, restoring in run.restoring():
        segments = segments_of(restoring.copy.name)
        restore_table(restoring, Progress(run.notes, NOTES, name), segments)


def renew_directories(run: Run) -> None:
    if run.goes_back:
        for each in noted_since(run.notes):
            renew(run.deployment, each)
    tell_organizations(run)


def tell_organizations(run: Run) -> None:
    """Let the trail of each organization tell of it, and of whom its directory knows no more."""
    for each in noted_since(run.notes):
        trail = run.deployment.trail(each.organization)
        forgotten = trail.forgetting(each.users) if run.goes_back else []
        act = Act(Action.RESTORE_FINISHED, details=run.details)
        until = trail.actor.kept_until
        trail.commit_once(act, f"restore#{run.begun}", until, *forgotten)


def fold_again(run: Run) -> None:
    """Fold and settle what was accepted since, as workers would.

    Where somebody was erased since, all of it: what is folded after they have been erased again
    would make them known once more.
    """
    erased_in = {each.organization for each in noted_since(run.notes) if each.erased}
    step = partial(catch_up, run.deployment, erased_in)
    failed = [name for name in of_everybody(run.deployment, "Folded again", step) if name]
    if kept_out := erased_in.intersection(failed):
        words = f"Somebody was erased since, and events wait to be folded: {' '.join(kept_out)}"
        raise Refused(words, "Run this again. Nobody is let in before, or they would come back.")
    if failed:
        run.told.append(f"These could not be folded here, workers try again: {' '.join(failed)}")


def catch_up(deployment: Deployment, completely: Collection[str], organization: str) -> str:
    """Fold and settle until nothing is left; the organization if that fails.

    Of some, also what waits for a lane to open or for settling is waited for.
    """
    waits, ends_at = organization in completely, datetime.now(UTC) + LONGEST_WAIT
    step = partial(step_further, deployment, waits=waits)
    try:
        for _ in range(MOST_STEPS):
            pause = again(step, organization)
            if pause is None:
                return ""
            if pause and datetime.now(UTC) > ends_at:
                return organization
            sleep(pause)
    except Exception:  # noqa: BLE001  one that fails keeps out no other
        return organization
    finally:
        deployment.process.work.begin_again(organization, datetime.now(UTC))
    return organization if waits else ""


def step_further(deployment: Deployment, organization: str, *, waits: bool) -> int | None:
    """Fold and settle something; for how long to wait then, or None where nothing is left."""
    engine, now = deployment.engine, datetime.now(UTC)
    more = engine.folding.fold_outstanding(organization, epoch_ms(now))
    if engine.settle(organization, now) or more:
        return 0
    return ASKED_EVERY_SECONDS if waits and leaves_some(deployment, organization, now) else None


def leaves_some(deployment: Deployment, organization: str, now: datetime) -> bool:
    lanes = deployment.directories.open(organization).organization.lanes
    return deployment.engine.folding.leaves_some(organization, lanes, epoch_ms(now))


def erase_everybody_again(run: Run) -> None:
    for each in noted_since(run.notes):
        unknown = erase_again(run.deployment, run.notes, each, goes_back=run.goes_back)
        if unknown:
            run.told.append(
                f"{count_of(unknown, 'person')} of {each.organization} came and were erased after "
                "that instant: their events made them known again. Erase them again by name."
            )


def verify_everybody(run: Run) -> None:
    if not run.verifies:
        return
    engine, now = run.deployment.engine, datetime.now(UTC)

    def drifts(organization: str) -> int:
        return sum(len(found.drifts) for found in engine.verify(organization, now))

    if drifted := sum(of_everybody(run.deployment, "Verified", partial(again, drifts))):
        remedy = "Make them again (odometer rebuild), and run this again; or give --no-verify."
        raise Refused(f"{count_of(drifted, 'frame')} differ from the events.", remedy)


def again(do: Callable[[str], Made], organization: str) -> Made:
    """Do something for an organization, from its beginning where storage was busy meanwhile."""
    for _ in range(MOST_TRIES - 1):
        try:
            return do(organization)
        except Unavailable:
            sleep(PAUSE_SECONDS)
    return do(organization)


def open_again(run: Run) -> None:
    reopen(run.deployment)


STEPS: Final[tuple[Callable[[Run], None], ...]] = (
    pause_and_wait,
    note_directories,
    put_back,
    renew_directories,
    fold_again,
    erase_everybody_again,
    verify_everybody,
    open_again,
)


def of_everybody(deployment: Deployment, title: str, do: Callable[[str], Any]) -> Iterator[Any]:
    return of_each(list(deployment.directories.organizations()), title, do)


def of_each(names: Sequence[str], title: str, do: Callable[[str], Any]) -> Iterator[Any]:
    """Do something for each organization, some at once."""
    with progress_bar(title, len(names)) as progress, ThreadPoolExecutor(AT_ONCE) as pool:
        for found in pool.map(do, names):
            progress.advance(1)
            yield found


# the commands


def restore(
    ctx: typer.Context,
    *,
    at: Annotated[
        str | None, typer.Option(help="The latest instant at which all was right, in UTC.")
    ] = None,
    directory: Annotated[
        bool,
        typer.Option("--directory", help="Directories go back, too; keys made since then end."),
    ] = False,
    usage_from: Annotated[
        str, typer.Option(help="A table with the usage of that instant, such as a backup's.")
    ] = "",
    directory_from: Annotated[
        str, typer.Option(help="A table with the directories of that instant.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Make copies and compare; change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    wait: Annotated[
        int | None,
        typer.Option(min=0, help="Seconds until runs that had begun have ended."),
    ] = None,
    verify: Annotated[
        bool, typer.Option(help="Whether to add up everything before it is opened.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Bring usage back to an instant, and fold again what was accepted since; nothing is lost."""
    deployment: Deployment = ctx.obj
    run = noted_run(deployment)
    if run:
        check_same(run, at)
        err.print(f"This goes on with the restore to {format_seconds(run.at)}.")
    else:
        run = new_run(deployment, at, usage_from, directory_from, goes_back=directory)
        show_plan(run, compares=dry_run, as_json=as_json and dry_run)
        if dry_run:
            return
        ask(run, yes=yes)
        run.begin()
    run.wait, run.verifies = wait, verify
    take_steps(run)
    show_end(run, as_json=as_json)
    raise typer.Exit(1 if run.told else 0)


def check_same(run: Run, at: str | None) -> None:
    if at and instant_of(at) != run.at:
        raise Misused(
            f"A restore to {format_seconds(run.at)} has begun.", "Finish it first: odometer restore"
        )


def new_run(
    deployment: Deployment, at: str | None, usage: str, directory: str, *, goes_back: bool
) -> Run:
    """A restore with its copies, which AWS makes while everything goes on."""
    if at is None:
        raise Misused("To which instant?", "Give --at, such as 2026-11-20T06:00:00Z.")
    instant, settings = instant_of(at), deployment.settings
    if instant >= datetime.now(UTC):
        raise Misused(f"{at} has not come yet.", "Give an instant in the past.")
    stack_name(deployment)
    usage_at = instant - SINCE_DIRECTORY if goes_back else instant
    usage = usage or make_copy(settings.usage_table, usage_at)
    directory = directory or copy_of_directory(settings.directory_table, instant, goes_back)
    wait_for([each for each in (usage, directory) if each])
    begun = datetime.now(UTC).isoformat()
    run = Run(deployment, instant, usage, directory, goes_back, begun=begun)
    refuse_other_content(run)
    refuse_later_usage(run)
    return run


def copy_of_directory(table: str, instant: datetime, goes_back: bool) -> str:
    """A copy of the directory, which says who was erased since; without one, whoever ever was."""
    try:
        return make_copy(table, instant)
    except Refused:
        if goes_back:
            raise
        return ""


def refuse_other_content(run: Run) -> None:
    """Refuse a copy of another table, which would take the place of all that there is."""
    for name, restoring in run.restoring():
        items = next(pages(restoring.copy, 0, 1))
        if not all(map(BELONGS[name], items)) or (name == "directory" and not items):
            message = f"{restoring.copy.name} is no copy of {restoring.table.name}."
            raise Refused(message, f"Give --{name}-from the name of one.")


def is_of_usage(item: Item) -> bool:
    partition = str(item["pk"])
    _, _, kind = partition.partition("#")
    return partition == keys.MARKS or kind.partition("#")[0] not in ("", "LOG", "KEY")


def is_of_directory(item: Item) -> bool:
    partition, sort_key = str(item["pk"]), str(item["sk"])
    is_small = partition == ORGANIZATIONS or sort_key.startswith("ERASING#")
    return "#" not in partition and (is_small or not item.keys().isdisjoint({"columns", "digest"}))


BELONGS: Final[Mapping[str, Callable[[Item], bool]]] = {
    "usage": is_of_usage,
    "directory": is_of_directory,
}


def refuse_later_usage(run: Run) -> None:
    """Refuse usage that names users whose numbers the directory would give to others."""
    if run.goes_back and run.then:
        usage = run.deployment.process.table(run.usage)
        for head in run.then.heads(run.then.organizations()):
            organization = head.organization["id"]
            view = View.latest(organization, usage, "UTC", 0)
            users = max([view.head.users, *(event.who + 1 for event in view.unsettled_events)])
            if users > head.sizes["users"]:
                message = (
                    f"{run.usage} knows users of {organization} that {run.directory} does not."
                )
                raise Refused(message, "Take a directory that is later than the usage.")


def take_steps(run: Run) -> None:
    for number, step in enumerate(STEPS[run.step :], run.step + 1):
        step(run)
        run.step = number
        run.note()


def show_plan(run: Run, *, compares: bool, as_json: bool) -> None:
    """What would be done; how many items differ only where nothing else is to be done."""
    found = list(compared_directories(run))
    plan = {
        "stack": stack_name(run.deployment),
        "at": format_seconds(run.at),
        "usage_from": run.usage,
        "directory_from": run.directory if run.goes_back else None,
        **changes_undone(found, goes_back=run.goes_back),
    }
    if compares:
        plan |= {name: differences(each) for name, each in run.restoring()}
    if as_json:
        show_json(plan)
        return
    shown = out if compares else err  # where more follows, the plan is not the answer
    for name, value in plan.items():
        shown.print(f"{name:<24}{words(value)}")
    if run.at < datetime.now(UTC) - timedelta(seconds=LOG_SECONDS):
        err.print("What was accepted more than 35 days ago is not in the log: send it again.")
    err.print("Until it is done, requests get 429 with Retry-After. What was accepted since that")
    err.print("instant is folded again from the log; what senders send again counts once.")


def differences(restoring: Restoring) -> dict[str, int]:
    found: Differences = compared(restoring, segments_of(restoring.copy.name))
    return {"to_put": found.put, "to_remove": found.removed}


def changes_undone(found: list[Since], *, goes_back: bool) -> dict[str, Any]:
    """What happened since to organizations, as far as a restore has to do with it."""
    unreadable = [each.organization for each in found if not each.is_readable]
    always = {"erased_since": sum(len(each.erased) for each in found), "unreadable": unreadable}
    if not goes_back:
        return always
    gone = [each.organization for each in found if each.is_readable and not each.was_there]
    made = [f"{each.organization} {key}" for each in found for key in each.keys]
    return {**always, "organizations_made_since": gone, "keys_made_since": made}


def words(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{name} {number}" for name, number in value.items())
    return "stays as it is" if value is None else str(value)


def ask(run: Run, *, yes: bool) -> None:
    if yes:
        return
    if not is_interactive():
        raise Refused("Nobody can be asked here.", "Give --yes.")
    typer.confirm(f"Restore to {format_seconds(run.at)}?", abort=True, err=True)


def show_end(run: Run, *, as_json: bool) -> None:
    """What was done, from the notes; then these are removed."""
    counts = {name: Progress(run.notes, NOTES, name).total() for name, _ in run.restoring()}
    found = list(noted_since(run.notes))
    end = {
        "at": format_seconds(run.at),
        **{name: {"put": each.put, "removed": each.removed} for name, each in counts.items()},
        **changes_undone(found, goes_back=run.goes_back),
        "look_at": run.told,
        "copies": [each for each in (run.usage, run.directory) if each],
    }
    forget(run)
    if as_json:
        show_json(end)
        return
    for name, value in end.items():
        out.print(f"{name:<24}{words(value)}")
    err.print("It is open again. Keep the copies for a week, and then delete these tables.")


def forget(run: Run) -> None:
    """Remove all that a restore has noted; the run itself last, together with the trail's entry."""
    notes = run.notes
    noted = [(NOTES, str(item["sk"])) for item in notes.query(NOTES, " ", "~", consistent=True)]
    notes.delete_all(key for key in noted if key[1] != RESTORE)
    act = Act(Action.RESTORE_FINISHED, details=run.details)
    run.deployment.trail().commit(act, notes.write_deletion(NOTES, RESTORE))


def pause_command(ctx: typer.Context) -> None:
    """Answer 429 to every request and begin no work, until `odometer open`."""
    deployment: Deployment = ctx.obj
    was_open = pause(deployment)
    out.print("Paused." if was_open else "It was paused before.")


def open_command(ctx: typer.Context) -> None:
    """Let requests and work in again, with the settings that there were before the pause."""
    deployment: Deployment = ctx.obj
    if run := noted_run(deployment):
        at = format_seconds(run.at)
        raise Refused(f"A restore to {at} is not finished.", "Finish it: odometer restore")
    out.print("Open." if reopen(deployment) else "It was not paused.")
