"""The template as it is written, and as SAM expands it for AWS."""

import json
from pathlib import Path
from typing import Any

from boto3.session import Session
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

from local.stack import REGION

Template = dict[str, Any]


def written() -> Template:
    return read("template.yaml")


def read(path: str) -> Template:
    template: Template = yaml_parse(Path(path).read_text())
    return template


def expanded(layer: str = "s3://bucket/layer", **parameters: str) -> Template:
    """Every resource that SAM makes of ours, computed without AWS."""
    template = written()
    for resource in template["Resources"].values():
        if "CodeUri" in resource["Properties"]:
            resource["Properties"]["CodeUri"] = "s3://bucket/function"
    template["Resources"]["Layer"]["Properties"]["ContentUri"] = layer
    reasons = template["Resources"]["Api"]["Metadata"]
    translator = Translator({}, Parser(), boto_session=Session(region_name=REGION))
    made = dict(translator.translate(template, parameters))
    made["Resources"]["ApiStage"]["Metadata"] = reasons  # SAM hands them down to functions only
    return made


if __name__ == "__main__":
    print(json.dumps(expanded(), indent=1))
