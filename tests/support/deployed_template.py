"""The expanded template as CloudFormation deploys it: parameters and conditions have values."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from local.template import Template, expanded

NOTHING = object()
"""What `AWS::NoValue` leaves: no property at all."""


@cache
def expansion() -> Template:
    return expanded()


def deployed(**given: str) -> Template:
    """Resources and outputs with these parameters, and the defaults of the others.

    What only AWS knows (`Fn::GetAtt`, names) stays as it is written.
    """
    template = expansion()
    values = {name: each.get("Default", "") for name, each in template["Parameters"].items()}
    resolve = Resolver({**values, **given}, template["Conditions"]).resolve
    resources = {
        name: each
        for name, each in template["Resources"].items()
        if "Condition" not in each or resolve({"Condition": each["Condition"]})
    }
    return {"Resources": resolve(resources), "Outputs": resolve(template["Outputs"])}


class Resolver:
    def __init__(self, values: Mapping[str, Any], conditions: Mapping[str, Any]) -> None:
        self.values = values
        self.conditions = conditions
        self.functions: Mapping[str, Callable[[Any], Any]] = {
            "Ref": self._ref,
            "Condition": lambda name: self.resolve(conditions[name]),
            "Fn::If": lambda three: self.resolve(three[1 if self._holds(three[0]) else 2]),
            "Fn::Equals": lambda two: str(self.resolve(two[0])) == str(self.resolve(two[1])),
            "Fn::Not": lambda one: not self.resolve(one[0]),
            "Fn::Or": lambda many: any(map(self.resolve, many)),
            "Fn::Join": self._join,
        }

    def resolve(self, node: Any) -> Any:
        if isinstance(node, list):
            return [each for each in map(self.resolve, node) if each is not NOTHING]
        if not isinstance(node, dict):
            return node
        (name, argument), *others = node.items() or [("", None)]
        is_call = not others and name in self.functions and not isinstance(argument, dict)
        if is_call and (name != "Condition" or argument in self.conditions):
            return self.functions[name](argument)
        found = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in found.items() if value is not NOTHING}

    def _holds(self, condition: str) -> bool:
        return bool(self.resolve(self.conditions[condition]))

    def _ref(self, name: str) -> Any:
        return NOTHING if name == "AWS::NoValue" else self.values.get(name, {"Ref": name})

    def _join(self, two: Any) -> Any:
        parts = self.resolve(two[1])
        plain = isinstance(parts, str) or all(isinstance(each, str) for each in parts)
        return two[0].join(parts) if plain else {"Fn::Join": [two[0], parts]}
