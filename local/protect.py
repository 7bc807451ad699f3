"""Keep a production stack from being deleted by mistake, after each deployment.

`python -m local.protect prod` does it for that environment of samconfig.toml, if it is production.
Termination protection belongs to a stack that is deployed, so no template can say it.
"""

import sys
import tomllib

from botocore.exceptions import BotoCoreError, ClientError

from local.account import CONFIG, parameters_of, signed_in

NOT_PROTECTED = "WARNING: the stack {stack} can be deleted by one command. {error}"


def main(environment: str = "default") -> None:
    config = tomllib.loads(CONFIG.read_text())[environment]
    where = config["global"]["parameters"]
    session, stack = signed_in(where["region"]), where["stack_name"]
    try:
        if parameters_of(session, config).get("Production") == "true":
            session.client("cloudformation").update_termination_protection(
                StackName=stack, EnableTerminationProtection=True
            )
    except (BotoCoreError, ClientError) as error:  # it is deployed; who may not protect it is told
        print(NOT_PROTECTED.format(stack=stack, error=error), file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
