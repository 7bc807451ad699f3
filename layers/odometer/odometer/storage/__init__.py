"""DynamoDB and Secrets Manager: the only modules that know boto3."""
