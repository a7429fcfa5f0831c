"""An ordinary day in the cloud: CloudTrail, Okta, the Kubernetes cluster and GitHub."""

from random import Random
from typing import Any
from uuid import UUID

from tocsin.exercise.clock import Clock, iso
from tocsin.exercise.company import Company
from tocsin.exercise.sending import Channel
from tocsin.exercise.tape import Sender, Tape


def _records_file(lines: list[bytes]) -> bytes:
    """A CloudTrail log file: one object whose ``Records`` are the events."""
    return b'{"Records":[' + b",".join(lines) + b"]}"


CLOUDTRAIL = Sender(Channel.FILE, "cloudtrail", _records_file, "events.json")
OKTA = Sender(Channel.HTTP, "okta")
KUBERNETES = Sender(Channel.HTTP, "kubernetes")
GITHUB = Sender(Channel.HTTP, "github")
ABROAD = "203.0.113.140"

_READS = (
    ("ec2.amazonaws.com", "DescribeInstances"),
    ("s3.amazonaws.com", "GetBucketLocation"),
    ("ecr.amazonaws.com", "BatchGetImage"),
    ("ecr.amazonaws.com", "GetAuthorizationToken"),
    ("logs.amazonaws.com", "DescribeLogGroups"),
    ("kms.amazonaws.com", "Decrypt"),
    ("secretsmanager.amazonaws.com", "GetSecretValue"),
    ("eks.amazonaws.com", "DescribeCluster"),
    ("sts.amazonaws.com", "AssumeRole"),
    ("monitoring.amazonaws.com", "GetMetricData"),
)
_ROLES = ("terraform-runner", "larkmoor-ci", "portal-app", "orders-export")
_SIGN_INS = (
    *("user.session.start", "user.authentication.sso", "user.authentication.sso"),
    *("user.authentication.auth_via_mfa", "policy.evaluate_sign_on"),
)
_ENGINEERS = ("tomas.veldt", "amara.quill", "kofi.ansah-reed", "petra.lindgaard", "levi.stroud")
_BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/152.0 Safari/537.36"


class CloudWriter:
    """Writes single cloud records onto the tape."""

    def __init__(self, tape: Tape, company: Company, rng: Random) -> None:
        self._tape = tape
        self._company = company
        self._rng = rng

    def _uuid(self) -> str:
        return str(UUID(int=self._rng.getrandbits(128), version=4))

    def role(self, name: str) -> dict[str, Any]:
        """The identity of a machine's session."""
        account = self._company.aws_account
        return {
            "type": "AssumedRole",
            "principalId": f"AROALARKMOOR{len(name):04d}:{name}",
            "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{name}",
            "accountId": account,
            "accessKeyId": f"ASIALARKMOOR{len(name):04d}EXMP",
        }

    def person(self, name: str, key: str = "") -> dict[str, Any]:
        """The identity of an IAM user; ``key`` when a long-lived key is used."""
        account = self._company.aws_account
        identity = {
            "type": "IAMUser",
            "principalId": f"AIDALARKMOOR{len(name):04d}",
            "arn": f"arn:aws:iam::{account}:user/{name}",
            "accountId": account,
            "userName": name,
        }
        return identity | {"accessKeyId": key} if key else identity

    def trail(
        self,
        at: float,
        what: tuple[str, str],
        identity: dict[str, Any],
        address: str,
        agent: str,
        **more: Any,
    ) -> None:
        """One CloudTrail record; ``what`` is event source and name, ``more`` any other field."""
        name = what[1]
        record = {
            "eventVersion": "1.11",
            "userIdentity": identity,
            "eventTime": iso(at, 0),
            "eventSource": what[0],
            "eventName": name,
            "awsRegion": self._company.aws_region,
            "sourceIPAddress": address,
            "userAgent": agent,
            "requestParameters": None,
            "responseElements": None,
            "requestID": self._uuid(),
            "eventID": self._uuid(),
            "readOnly": name.startswith(("Describe", "Get", "List", "Batch")),
            "eventType": "AwsApiCall",
            "managementEvent": True,
            "recipientAccountId": self._company.aws_account,
            "eventCategory": "Management",
        }
        self._tape.write_json(CLOUDTRAIL, at, record | more)

    def okta(
        self,
        at: float,
        kind: str,
        who: str,
        address: str,
        place: tuple[str, str] = ("Norhaven", "Norway"),
        result: str = "SUCCESS",
        reason: str | None = None,
        target: str = "Larkmoor Intranet",
    ) -> None:
        """One Okta system log record; ``place`` is city and country."""
        email = f"{who}@{self._company.domain}"
        self._tape.write_json(
            OKTA,
            at,
            {
                "uuid": self._uuid(),
                "published": iso(at),
                "eventType": kind,
                "version": "0",
                "severity": "INFO" if result == "SUCCESS" else "WARN",
                "displayMessage": kind.replace(".", " "),
                "actor": {
                    "id": f"00u{sum(map(ord, who)):08d}",
                    "type": "User",
                    "alternateId": email,
                    "displayName": who.replace(".", " ").title(),
                },
                "client": {
                    "userAgent": {"rawUserAgent": _BROWSER, "os": "Windows", "browser": "CHROME"},
                    "zone": "null",
                    "device": "Computer",
                    "ipAddress": address,
                    "geographicalContext": {"city": place[0], "country": place[1]},
                },
                "outcome": {"result": result, "reason": reason},
                "target": [{"id": "0oa1", "type": "AppInstance", "displayName": target}],
                "transaction": {"type": "WEB", "id": self._uuid()},
                "authenticationContext": {"externalSessionId": f"trs{self._rng.getrandbits(48):x}"},
            },
        )

    def cluster(
        self,
        at: float,
        verb: str,
        reference: dict[str, str],
        user: str,
        address: str,
        code: int = 200,
        body: dict[str, Any] | None = None,
    ) -> None:
        """One Kubernetes audit record; ``reference`` is the ``objectRef``."""
        parts = [reference.get(k, "") for k in ("namespace", "resource", "name", "subresource")]
        prefix = f"/api/v1/namespaces/{parts[0]}" if parts[0] else "/api/v1"
        groups = ["system:authenticated"]
        record: dict[str, Any] = {
            "kind": "Event",
            "apiVersion": "audit.k8s.io/v1",
            "level": "RequestResponse" if body else "Metadata",
            "auditID": self._uuid(),
            "stage": "ResponseComplete",
            "requestURI": "/".join([prefix, *(part for part in parts[1:] if part)]),
            "verb": verb,
            "user": {"username": user, "groups": groups},
            "sourceIPs": [address],
            "userAgent": "kubectl/v1.36.1" if "." in user else "larkmoor-controller/2.4",
            "objectRef": {**reference, "apiVersion": "v1"},
            "responseStatus": {"metadata": {}, "code": code},
            "requestReceivedTimestamp": iso(at, 6),
            "stageTimestamp": iso(at + 0.004, 6),
            "annotations": {"authorization.k8s.io/decision": "allow" if code < 400 else "forbid"},
        }
        if body:
            record["requestObject"] = body
        self._tape.write_json(KUBERNETES, at, record)

    def github(self, at: float, action: str, actor: str, repository: str, **more: Any) -> None:
        """One GitHub audit log record."""
        organization = self._company.github_org
        record = {
            "@timestamp": int(at * 1000),
            "_document_id": f"{self._rng.getrandbits(96):024x}",
            "action": action,
            "actor": actor,
            "actor_id": 70_000 + sum(map(ord, actor)),
            "actor_ip": self._company.office_egress,
            "actor_location": {"country_code": "NO"},
            "created_at": int(at * 1000),
            "org": organization,
            "repo": f"{organization}/{repository}",
            "user_agent": "git/2.53.0",
        }
        self._tape.write_json(GITHUB, at, record | more)


class CloudDay:
    """Machines work around the clock, people sign in and change things by day."""

    def __init__(self, tape: Tape, company: Company, clock: Clock, rng: Random) -> None:
        self.write = CloudWriter(tape, company, rng)
        self._company = company
        self._clock = clock
        self._rng = rng

    def live_trail(self, count: int) -> None:
        rng = self._rng
        for at in self._clock.every(rng, count):
            if rng.random() < 0.8:
                name = rng.choice(_ROLES)
                agent = "aws-sdk-go-v2/1.39" if name != "terraform-runner" else "HashiCorp/1.0"
                address = f"10.60.{rng.randrange(4)}.{rng.randrange(4, 250)}"
                self.write.trail(at, rng.choice(_READS), self.write.role(name), address, agent)
            else:
                when = self._clock.at_work(rng)
                person = self.write.person(rng.choice(_ENGINEERS))
                egress = self._company.office_egress
                self.write.trail(when, rng.choice(_READS), person, egress, _BROWSER)

    def live_okta(self, count: int) -> None:
        rng = self._rng
        egress = self._company.office_egress
        for at in self._clock.every(rng, count):
            if rng.random() < 0.25:
                self.write.okta(at, "user.authentication.sso", "larkmoor-ci-bot", "10.20.30.51")
                continue
            who = rng.choice(self._company.people).name
            kind = rng.choice(_SIGN_INS)
            when = self._clock.at_work(rng)
            if rng.random() < 0.03:
                self.write.okta(when, kind, who, egress, result="FAILURE", reason="INVALID_LOGIN")
            else:
                self.write.okta(when, kind, who, egress)

    def live_cluster(self, count: int) -> None:
        rng = self._rng
        for at in self._clock.every(rng, count):
            node = rng.choice(("nh-k8s01", "nh-k8s02", "nh-k8s03"))
            chance = rng.random()
            address = self._company.address(node)
            if chance < 0.35:
                self.write.cluster(
                    at,
                    "patch",
                    {"resource": "nodes", "name": node, "subresource": "status"},
                    f"system:node:{node}",
                    address,
                    body={"status": {"conditions": [healthy_disk()]}},
                )
            elif chance < 0.9:
                pod = {"resource": "pods", "namespace": rng.choice(("shop", "orders", "tools"))}
                user = rng.choice(
                    ("system:kube-scheduler", "system:serviceaccount:kube-system:replicaset")
                )
                self.write.cluster(at, rng.choice(("get", "list", "watch")), pod, user, address)
            else:
                engineer = rng.choice(("tomas.veldt", "kofi.ansah-reed"))
                pod = {"resource": "pods", "namespace": "shop", "subresource": "log"}
                when = self._clock.at_work(rng)
                self.write.cluster(when, "get", pod, engineer, self._company.address("nh-jump01"))

    def live_github(self, count: int) -> None:
        rng = self._rng
        for at in self._clock.every(rng, count):
            repository = rng.choice(("portal", "orders", "firmware", "calibration", "infra"))
            if rng.random() < 0.5:
                self.write.github(at, "git.fetch", "larkmoor-ci-bot", repository)
            else:
                actor = rng.choice(("anton-birk", "saoirse-keane", "levi-stroud", "hana-fujisaki"))
                action = rng.choice(("git.push", "pull_request.merge", "git.clone", "git.fetch"))
                self.write.github(self._clock.at_work(rng), action, actor, repository)


def healthy_disk() -> dict[str, str]:
    return {
        "type": "DiskPressure",
        "status": "False",
        "reason": "KubeletHasNoDiskPressure",
        "message": "kubelet has no disk pressure",
    }


def live_cloud_noise(day: CloudDay, company: Company, clock: Clock) -> None:
    """What looks a little like trouble and is none: a missing right, a new phone, a look inside."""
    write = day.write
    egress = company.office_egress
    for hours in (8.9, 8.8, 8.6):
        refused = {"errorCode": "AccessDenied", "errorMessage": "not authorized to perform this"}
        who = write.person("levi.stroud")
        what = ("ec2.amazonaws.com", "StopInstances")
        write.trail(clock.before_end(hours), what, who, egress, _BROWSER, **refused)
    write.okta(clock.before_end(8.2), "user.mfa.factor.deactivate", "frida.holm", egress)
    write.okta(clock.before_end(8.1), "user.mfa.factor.activate", "frida.holm", egress)
    pod = {"resource": "pods", "namespace": "shop", "name": "cart-7d9f", "subresource": "exec"}
    jump = company.address("nh-jump01")
    write.cluster(clock.before_end(4.1), "create", pod, "kofi.ansah-reed", jump, 101)
