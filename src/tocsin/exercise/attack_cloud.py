"""The attack in the cloud account: a new key, used from abroad, and the trail switched off."""

from tocsin.exercise.clock import Clock
from tocsin.exercise.cloud_day import ABROAD, CloudWriter
from tocsin.exercise.company import Company

KEY_MAKER = "kofi.ansah-reed"
NEW_USER = "report-export"
_KEY = "AKIALARKMOOREXAMPLE7"
_SCRIPTED = "Boto3/1.42.9 md/Botocore#1.42.9 ua/2.1 os/linux lang/python#3.13.2"
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Chrome/151.0 Safari/537.36"


def use_new_key(cloud: CloudWriter, company: Company, clock: Clock) -> None:
    """Four hours before the end an engineer's session makes a user, a key, and hands it out."""
    at = clock.before_end(4.0)
    maker = cloud.person(KEY_MAKER)
    user = {"userName": NEW_USER}
    policy = {**user, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    made = {"accessKey": {**user, "accessKeyId": _KEY, "status": "Active"}}
    iam = "iam.amazonaws.com"
    for offset, name, request, answer in (
        (0, "CreateUser", user, {"user": user}),
        (25, "AttachUserPolicy", policy, None),
        (40, "CreateAccessKey", user, made),
    ):
        cloud.trail(
            at + offset,
            (iam, name),
            maker,
            ABROAD,
            _BROWSER,
            requestParameters=request,
            responseElements=answer,
        )
    key = cloud.person(NEW_USER, _KEY)
    calls = (
        (915, "s3.amazonaws.com", "ListBuckets"),
        (930, "s3.amazonaws.com", "GetBucketAcl"),
        (960, "ec2.amazonaws.com", "DescribeInstances"),
        (1000, "secretsmanager.amazonaws.com", "ListSecrets"),
        (1900, "cloudtrail.amazonaws.com", "DescribeTrails"),
    )
    for offset, source, name in calls:
        cloud.trail(at + offset, (source, name), key, ABROAD, _SCRIPTED)
    trail = f"arn:aws:cloudtrail:{company.aws_region}:{company.aws_account}:trail/main"
    stop = ("cloudtrail.amazonaws.com", "StopLogging")
    cloud.trail(at + 1920, stop, key, ABROAD, _SCRIPTED, requestParameters={"name": trail})
    for number in range(40):
        what = ("s3.amazonaws.com", "GetObject")
        request = {"bucketName": "larkmoor-designs", "key": f"gauge-72/rev{number}.gcd"}
        cloud.trail(
            at + 2000 + number * 9,
            what,
            key,
            ABROAD,
            _SCRIPTED,
            requestParameters=request,
            eventCategory="Data",
            managementEvent=False,
        )
