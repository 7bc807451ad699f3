"""What the page works out by itself, run by Node: addresses, periods, and figures as text."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILES = ROOT / "functions/edge/page/files"
NODE = ROOT / ".local/tools/node/bin/node"
ME: dict[str, Any] = {
    "organization": {"timezone": "Europe/Berlin"},
    "kinds": [{"name": "chat", "days": "utc"}, {"name": "document", "days": "local"}],
}
MS = {"name": "render_ms", "unit": "ms", "decimals": 0}
CREDITS = {"name": "credits", "unit": "credits", "decimals": 2}
BYTES = {"name": "sent", "unit": "bytes", "decimals": 0}
RATE = {"name": "rate", "unit": "credits", "decimals": 6}
TIME = {"name": "time", "label": "Time", "unit": "ms"}
WAIT = {"name": "wait", "label": "Wait", "unit": "ms"}
SIZE = {"name": "time", "label": "Size", "unit": "bytes"}
EACH = {"name": "each", "label": "Time of each", "of": "time", "per": "active_users"}
SHARE = {"name": "share", "label": "Share", "of": "wait", "per": "time+wait"}
CHAT = {"name": "chat", "measures": [SIZE], "ratios": []}
DOCUMENT = {"name": "document", "measures": [TIME, WAIT], "ratios": [EACH, SHARE]}
OFFERED = {
    "kinds": [CHAT, DOCUMENT],
    "products": [{"id": "talk", "kind": "chat"}, {"id": "docs", "kind": "document"}],
}
WITH_PRODUCTS = ME | {
    "products": [
        {"id": "talk", "kind": "chat"},
        {"id": "write", "kind": "chat"},
        {"id": "docs", "kind": "document"},
    ]
}
AT_HOME = {"from": "2026-10-25T00:00:00+02:00", "to": "x"}


def used_by(**users: int) -> dict[str, Any]:
    """How many have used each product, as the API answers it."""
    return {
        "groups": [
            {"product": {"id": name}, "totals": {"active_users": {"value": value}}}
            for name, value in users.items()
        ]
    }


@pytest.fixture(scope="module")
def answers() -> dict[str, Any]:
    """What every call below returns; one process answers all of them."""
    script = """
        globalThis.HTMLElement = class {};
        globalThis.customElements = { get: () => true };
        const calls = JSON.parse(process.argv[1]), answers = {};
        for (const [name, [file, args]] of Object.entries(calls)) {
          const module = await import(file);
          answers[name] = module[name.split(' ')[0]](...args) ?? null;
        }
        console.log(JSON.stringify(answers));
    """
    calls = {name: [f"{FILES / file}", args] for name, (file, args, _) in CALLS.items()}
    command = [str(NODE), "--input-type=module", "--eval", script, json.dumps(calls)]
    environment = {"LANG": "en_GB.UTF-8", "LC_ALL": "en_GB.UTF-8"}
    made = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: dict[str, Any] = json.loads(made.stdout)
    return found


CALLS: dict[str, tuple[str, list[Any], Any]] = {
    "questionOf an address": (
        "question.js",
        ["#/product/a%2Fb?period=7d&team="],
        {"view": "product", "id": "a/b", "period": "7d"},
    ),
    "questionOf nothing": ("question.js", [""], {"view": "overview"}),
    "questionOf what is not a view": ("question.js", ["#/constructor"], {"view": "overview"}),
    "questionOf a broken address": (
        "question.js",
        ["#/team/%E0%A4%A"],
        {"view": "team", "id": "%E0%A4%A"},
    ),
    "addressOf hostile text": (
        "question.js",
        [{"view": "user", "id": "#/?&\"'<", "q": "a&period=today#", "team": ""}],
        "#/user/%23%2F%3F%26%22'%3C?q=a%26period%3Dtoday%23",
    ),
    "daysOf own dates": ("question.js", [{"from": "2026-02-01", "to": "2026-03-01"}], 28),
    "granularityOf a day": ("question.js", [{"period": "today"}], "hour"),
    "granularityOf a year": ("question.js", [{"period": "12mo"}], "month"),
    "needsParts of a month": ("question.js", [{"period": "28d"}, ME, ["chat", "document"]], False),
    "needsParts of a year": ("question.js", [{"period": "12mo"}, ME, ["document"]], False),
    "needsParts of a year of two calendars": (
        "question.js",
        [{"period": "12mo"}, ME, ["chat", "document"]],
        True,
    ),
    "partsOf months": (
        "question.js",
        ["2025-12-01T00:00:00+01:00", "2026-05-22T04:00:00+02:00", "month"],
        [
            ["2025-12-01T00:00:00+01:00", "2026-02-01"],
            ["2026-02-01", "2026-04-01"],
            ["2026-04-01", "2026-05-22T04:00:00+02:00"],
        ],
    ),
    "partsOf weeks, which begin on Mondays": (
        "question.js",
        ["2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z", "week"],
        [["2026-01-01T00:00:00Z", "2026-03-23"], ["2026-03-23", "2026-04-01T00:00:00Z"]],
    ),
    "partsOf days": (
        "question.js",
        ["2026-01-01T00:00:00Z", "2026-04-02T00:00:00Z", "day"],
        [["2026-01-01T00:00:00Z", "2026-04-02T00:00:00Z"]],
    ),
    "kindsOfOneCalendar by its products": (
        "usage.js",
        [WITH_PRODUCTS, None],
        [ME["kinds"][0]],
    ),
    "kindsOfOneCalendar by its users": (
        "usage.js",
        [WITH_PRODUCTS, used_by(talk=0, write=0, docs=3)],
        [ME["kinds"][1]],
    ),
    "kindsOfOneCalendar of equal users": (
        "usage.js",
        [WITH_PRODUCTS, used_by(talk=3, write=0, docs=3)],
        [ME["kinds"][0]],
    ),
    "filled template": (
        "api.js",
        [
            "/v1/explain?product=docs{&measure,from,to,team}",
            {"measure": "pages", "from": "2026-10-26T00:00:00+01:00", "to": "b", "user": "no"},
        ],
        "/v1/explain?product=docs&measure=pages&from=2026-10-26T00%3A00%3A00%2B01%3A00&to=b",
    ),
    "filled template without a query": (
        "api.js",
        ["/v1/explain{?measure,from,to}", {"measure": "pages", "from": "a", "to": "b"}],
        "/v1/explain?measure=pages&from=a&to=b",
    ),
    "pathOf": (
        "api.js",
        ["/v1/usage", {"team": None, "q": "", "kind": "a,b"}],
        "/v1/usage?kind=a%2Cb",
    ),
    "figure of none": ("format.js", [None, MS], "–"),
    "figure of milliseconds": ("format.js", [412, MS], "412 ms"),
    "figure of minutes": ("format.js", [73_390, MS], "1 min 13 s"),
    "figure of hours": ("format.js", [12_000_000, MS], "3 h 20 min"),
    "figure of nearly two hours": ("format.js", [7_199_999, MS], "2 h"),
    "figure of many hours": ("format.js", [5_000_000_000, MS], "1,389 h"),
    "figure of decimals": ("format.js", [1106.28, CREDITS], "1,106.28"),
    "figure of very little": ("format.js", [0.0042, RATE], "0.0042"),
    "figure of less than one": ("format.js", [0.256789, RATE], "0.26"),
    "figure of none of it": ("format.js", [0, RATE], "0"),
    "tick of very little": ("format.js", [0.0042, RATE], "0.0042"),
    "figure of bytes": ("format.js", [1_530_000, BYTES], "1.53 MB"),
    "figure of no byte": ("format.js", [0, BYTES], "0 B"),
    "figure of millions": ("format.js", [12_345_678], "12.3m"),
    "exactFigure of millions": ("format.js", [12_345_678], "12,345,678"),
    "change": ("format.js", [20.5], "+20.5%"),
    "change to more than twice": ("format.js", [133.3], "+133%"),
    "change of nothing": ("format.js", [0], "0%"),
    "blockName of a quarter": (
        "format.js",
        [{"from": "2026-10-01T00:00:00+02:00", "to": "x"}, "quarter", "Europe/Berlin"],
        "Q4 2026",
    ),
    "blockName of a day in its zone": (
        "format.js",
        [{"from": "2026-10-25T22:30:00Z", "to": "x"}, "day", "Asia/Tokyo", True],
        "26 Oct",
    ),
    "reminderIn an hour": ("chart-element.js", [3_600_000], 3_540_000),
    "reminderIn a minute": ("chart-element.js", [60_000], 30_000),
    "reminderIn no time": ("chart-element.js", [2], 1000),
    "longerPause at first": ("chart-element.js", [0], 1000),
    "longerPause after that": ("chart-element.js", [1000], 2000),
    "longerPause at most": ("chart-element.js", [32_000], 60_000),
    "kindsAsked by product": ("chart-element.js", [OFFERED, "docs", "chat"], [DOCUMENT]),
    "kindsAsked by products": ("chart-element.js", [OFFERED, "docs,talk", None], [CHAT, DOCUMENT]),
    "kindsAsked by kind": ("chart-element.js", [OFFERED, None, "document"], [DOCUMENT]),
    "kindsAsked by nothing": ("chart-element.js", [OFFERED, None, None], [CHAT, DOCUMENT]),
    "measureOf a measure": (
        "chart-element.js",
        [[DOCUMENT], "time"],
        {"label": "Time", "unit": "ms"},
    ),
    "measureOf a ratio": (
        "chart-element.js",
        [[DOCUMENT], "each"],
        {"label": "Time of each", "unit": "ms"},
    ),
    "measureOf a ratio within a unit": (
        "chart-element.js",
        [[DOCUMENT], "share"],
        {"label": "Share", "unit": "count"},
    ),
    "measureOf people": (
        "chart-element.js",
        [[DOCUMENT], "active_users"],
        {"label": "Active users", "unit": "count"},
    ),
    "nameOfBlock in an offset": (
        "chart-element.js",
        [AT_HOME, "day", "+02:00", True],
        "25 Oct",
    ),
    "nameOfBlock in a zone": (
        "chart-element.js",
        [AT_HOME, "day", "Europe/Berlin", True],
        "25 Oct",
    ),
    "short of very little": ("chart-element.js", [0.0042], "0.0042"),
    "short of little": ("chart-element.js", [1.256], "1.26"),
    "decoded broken text": ("question.js", ["%"], "%"),
    "fileName of a hostile name": (
        "format.js",
        ["../../=cmd|' /C calc'!A0"],
        "odometer-cmd-c-calc-a0",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_page_works_it_out(answers: dict[str, Any], name: str) -> None:
    assert answers[name] == CALLS[name][2]


def test_a_framed_page_asks_for_tokens_ever_more_seldom_until_one_has_worked() -> None:
    script = f"""
        import {{ mock }} from 'node:test';
        const asked = [], outer = {{ postMessage: ({{ type, reason }}) => asked.push(reason) }};
        globalThis.location = {{ search: '?embed=1' }};
        globalThis.window = {{ parent: outer }};
        const {{ askForToken, tokenHasWorked }} = await import('{FILES / "embed.js"}');
        mock.timers.enable({{ apis: ['setTimeout'] }});
        const pauses = [];
        for (let turn = 0; turn < 9; turn += 1) {{
          const before = asked.length;
          askForToken('ended');
          let pause = 0;
          for (; asked.length === before; pause += 500) mock.timers.tick(500);
          pauses.push(pause);
        }}
        const stop = askForToken('left');
        stop();
        mock.timers.tick(3_600_000);
        tokenHasWorked();
        askForToken('at once');
        console.log(JSON.stringify([pauses, asked.slice(9)]));
    """
    command = [str(NODE), "--input-type=module", "--eval", script]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    pauses = [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]
    assert json.loads(made.stdout) == [pauses, ["at once"]]
