"""Which faults are not worth a test: written here, and shown in docs/mutants.md."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst
import libcst.matchers as m

Parents = tuple[cst.CSTNode, ...]

HINTS = m.Annotation() | m.Decorator()
LOGGED = m.Call(func=m.Attribute(value=m.Name("log")))
CHECKED = m.Call(func=m.Name("isinstance"))
WORDS = m.Name("words")
CODECS = re.compile(r"encode|decode|digest|to_bytes|from_bytes|write_text|read_text|new")


@dataclass(frozen=True)
class Rule:
    """What is left out, in words, and how it is recognized."""

    words: str
    holds: Callable[[cst.CSTNode, Parents], bool]


def is_log_line(node: cst.CSTNode, _: Parents) -> bool:
    return bool(m.matches(node, LOGGED))


def is_hint(node: cst.CSTNode, parents: Parents) -> bool:
    if m.matches(node, HINTS):
        return True
    called = parents[-1] if parents else None
    return (
        isinstance(called, cst.Call)
        and m.matches(called.func, m.Name("cast"))
        and node is called.args[0]
    )


def is_check_of_type(node: cst.CSTNode, _: Parents) -> bool:
    return bool(m.matches(node, CHECKED))


def is_docstring(node: cst.CSTNode, _: Parents) -> bool:
    return bool(m.matches(node, m.Expr(value=m.SimpleString() | m.ConcatenatedString())))


def is_repr(node: cst.CSTNode, parents: Parents) -> bool:
    return any(m.matches(each, m.FunctionDef(name=m.Name("__repr__"))) for each in (*parents, node))


def is_message(node: cst.CSTNode, _: Parents) -> bool:
    return isinstance(node, cst.SimpleString) and is_words(node)


def is_strict(node: cst.CSTNode, _: Parents) -> bool:
    return bool(m.matches(node, m.Arg(keyword=m.Name("strict"))))


def is_worded(node: cst.CSTNode, _: Parents) -> bool:
    return bool(m.matches(node, m.Assign(targets=[m.AssignTarget(target=WORDS)])))


LEFT_OUT = [
    Rule("lines of the log", is_log_line),
    Rule("type hints, `cast` and decorators", is_hint),
    Rule("`isinstance`, which tells types apart and would fail on others", is_check_of_type),
    Rule("docstrings", is_docstring),
    Rule("`__repr__`, which is for whoever debugs", is_repr),
    Rule("words for people: a text with a blank in it, whose wording documents hold", is_message),
    Rule("the same under the name `words`", is_worded),
    Rule("`strict=` of `zip`, which is an assertion", is_strict),
]


def is_left_out(node: cst.CSTNode, parents: Parents) -> bool:
    return any(rule.holds(node, parents) for rule in LEFT_OUT)


def is_same_codec(node: cst.CSTNode, changed: cst.CSTNode, parents: Parents) -> bool:
    """Names of codecs and digests may be written in capital letters."""
    if not isinstance(node, cst.SimpleString) or not isinstance(changed, cst.SimpleString):
        return False
    call = next((each for each in reversed(parents) if isinstance(each, cst.Call)), None)
    name = getattr(getattr(call, "func", None), "attr", None)
    alike = node.value.lower() == changed.value.lower()
    return alike and name is not None and bool(CODECS.fullmatch(name.value))


def is_about_strict(node: cst.CSTNode, changed: cst.CSTNode, _: Parents) -> bool:
    if not isinstance(node, cst.Call) or not isinstance(changed, cst.Call):
        return False
    return strict_of(node) != strict_of(changed)


def strict_of(call: cst.Call) -> list[bool]:
    return [
        m.matches(each.value, m.Name("True") | m.Name("False"))
        for each in call.args
        if each.keyword and each.keyword.value == "strict"
    ]


def is_message_dropped(node: cst.CSTNode, changed: cst.CSTNode, _: Parents) -> bool:
    """Whether only words for people are gone from the arguments of a call, or None stands there."""
    if not isinstance(node, cst.Call) or not isinstance(changed, cst.Call):
        return False
    kept = {id(each) for each in changed.args}
    lost = [each for each in node.args if id(each) not in kept]
    told = m.matches(node.func, m.Name("Refused") | m.Attribute(attr=m.Name("parameter")))
    return len(lost) == 1 and is_words(lost[0].value, told=bool(told))


def is_words(value: cst.BaseExpression, *, told: bool = False) -> bool:
    """Whether an expression is a text with a blank, or the `words` of an error that is told."""
    if told and m.matches(value, WORDS):
        return True
    if isinstance(value, cst.FormattedString):
        texts = [each for each in value.parts if isinstance(each, cst.FormattedStringText)]
        return any(" " in each.value for each in texts)
    text = value.evaluated_value if isinstance(value, cst.SimpleString) else None
    return isinstance(text, str) and len(text) > 1 and " " in text


WORTH_NOTHING = [is_same_codec, is_about_strict, is_message_dropped]
MORE_WORDS = ["the same name of a codec or of a digest in other letters"]


def is_worth_nothing(node: cst.CSTNode, changed: cst.CSTNode, parents: Parents) -> bool:
    return any(rule(node, changed, parents) for rule in WORTH_NOTHING)
