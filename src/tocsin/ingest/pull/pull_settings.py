"""What is pulled from where, and which webhooks there are: the settings, each with its meaning."""

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Text = Annotated[str, Field(min_length=1, max_length=1000)]
_NAMED = r"^[a-z0-9][a-z0-9._-]{0,62}$"


class IntakeSettings(BaseModel):
    """What every pull and webhook has. Secrets are in a file or in the environment, never here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=_NAMED, description="What it is called by.")
    source: str = Field("", max_length=200, description="Name of its source (default: kind/name).")
    connector: str | None = Field(None, description="Skip recognition: a connector's name.")


class S3Settings(IntakeSettings):
    """Objects of a bucket: those that notices in an SQS queue name, or all below a prefix."""

    bucket: str = Field("", max_length=255, description="The bucket; with a queue: only this one.")
    prefix: str = Field("", max_length=1000, description="Only objects whose key begins so.")
    queue_url: str = Field("", max_length=1000, description="SQS queue that gets the notices.")
    region: str = Field("us-east-1", min_length=1, max_length=64, description="AWS region.")
    endpoint_url: str = Field("", max_length=1000, description="Of an S3-compatible store.")
    queue_endpoint_url: str = Field("", max_length=1000, description="Of SQS, where it differs.")
    profile: str = Field("", max_length=200, description="Profile of the AWS settings files.")
    access_key_id: str = Field("", max_length=200, description="With its secret; or AWS's own way.")
    secret_access_key_file: Path | None = Field(None, description="File with the secret key.")
    secret_access_key_env: str = Field("", description="Environment variable with it.")
    interval_s: float = Field(30.0, gt=0, description="Time between two listings, in s.")
    wait_s: int = Field(5, ge=0, le=20, description="How long to wait for a notice, in s.")
    visibility_s: int = Field(300, ge=30, le=43200, description="How long a notice is ours, in s.")
    object_limit_bytes: int = Field(1 << 30, ge=1024, description="Largest object, in bytes.")
    unpacked_limit_bytes: int = Field(16 << 30, ge=1024, description="The same once unpacked.")

    @model_validator(mode="after")
    def _says_where(self) -> "S3Settings":
        if not self.bucket and not self.queue_url:
            raise ValueError("needs bucket (its objects are listed) or queue_url (notices)")
        _both_or_none(self, "access_key_id", "secret_access_key")
        return self


class KafkaSettings(IntakeSettings):
    """Topics of Kafka, read as a member of a consumer group."""

    brokers: tuple[Text, ...] = Field(min_length=1, description="host:port of some brokers.")
    topics: tuple[Text, ...] = Field(min_length=1, description="Topics to read.")
    group: Text = Field("tocsin", description="Consumer group; it keeps the position.")
    start: Literal["earliest", "latest"] = Field(
        "earliest", description="Where a new group begins."
    )
    tls: bool = Field(False, description="Speak TLS.")
    tls_ca: Path | None = Field(None, description="CA of the brokers (PEM), if not a public one.")
    tls_certificate: Path | None = Field(None, description="Our certificate (PEM).")
    tls_key: Path | None = Field(None, description="Its key (PEM).")
    sasl: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="How the password is shown, when there is a username."
    )
    username: str = Field("", max_length=200, description="User, with password_file or _env.")
    password_file: Path | None = Field(None, description="File with the password.")
    password_env: str = Field("", description="Environment variable with it.")

    @model_validator(mode="after")
    def _is_whole(self) -> "KafkaSettings":
        _both_or_none(self, "username", "password")
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("needs tls_certificate and tls_key together")
        if not self.tls and (self.tls_ca or self.tls_certificate):
            raise ValueError("needs tls = true beside tls_ca and tls_certificate")
        return self


class NatsSettings(IntakeSettings):
    """A stream of NATS JetStream, read through a durable consumer."""

    servers: tuple[Text, ...] = Field(min_length=1, description="nats://host:4222 or tls://….")
    stream: Text = Field(description="The stream.")
    subject: str = Field(">", min_length=1, max_length=500, description="Only this subject.")
    consumer: str = Field("tocsin", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Durable name.")
    ack_wait_s: int = Field(60, ge=5, description="After it what is not confirmed comes again.")
    tls_ca: Path | None = Field(None, description="CA of the servers (PEM), if not a public one.")
    credentials_file: Path | None = Field(None, description="Credentials (.creds) of NATS.")
    username: str = Field("", max_length=200, description="User, with password_file or _env.")
    password_file: Path | None = Field(None, description="File with the password.")
    password_env: str = Field("", description="Environment variable with it.")
    token_file: Path | None = Field(None, description="File with a token.")
    token_env: str = Field("", description="Environment variable with it.")

    @model_validator(mode="after")
    def _is_whole(self) -> "NatsSettings":
        _both_or_none(self, "username", "password")
        return self


class HttpPollSettings(IntakeSettings):
    """An HTTP API that is asked again and again, with a cursor that says from where on."""

    url: str = Field(max_length=4000, description="Address; {cursor} is what was kept last.")
    start_cursor: str = Field("", max_length=1000, description="{cursor} at the first start.")
    records: str = Field("", description="JSON pointer to the records; empty: the whole body.")
    cursor: str = Field("", description="JSON pointer to the next cursor in the answer.")
    record_cursor: str = Field("", description="JSON pointer to the cursor in the last record.")
    follow_link: bool = Field(False, description='Follow the header `Link: …; rel="next"`.')
    interval_s: float = Field(60.0, gt=0, description="Time between two askings, in s.")
    timeout_s: float = Field(30.0, gt=0, description="How long an answer may take, in s.")
    answer_limit_bytes: int = Field(64 << 20, ge=1024, description="Largest answer, in bytes.")
    tls_ca: Path | None = Field(None, description="CA of the server (PEM), if not a public one.")
    auth_header: str = Field(
        "Authorization", pattern=r"^[A-Za-z0-9-]{1,64}$", description="Header."
    )
    auth_file: Path | None = Field(None, description="File with its value (`Bearer …`).")
    auth_env: str = Field("", description="Environment variable with it.")

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("is no http:// or https:// address")
        if "{" in f"{parts.scheme}{parts.netloc}":
            raise ValueError("may have {cursor} in its path and query only")
        return url

    @field_validator("records", "cursor", "record_cursor")
    @classmethod
    def _is_pointer(cls, pointer: str) -> str:
        if pointer and not pointer.startswith("/"):
            raise ValueError("is no JSON pointer (RFC 6901): it begins with /")
        return pointer

    @model_validator(mode="after")
    def _goes_on(self) -> "HttpPollSettings":
        ways = [bool(self.cursor), bool(self.record_cursor), self.follow_link]
        if sum(ways) > 1:
            raise ValueError("takes one of cursor, record_cursor and follow_link")
        if (self.cursor or self.record_cursor) and "{cursor}" not in self.url:
            raise ValueError("keeps a cursor that url never says: put {cursor} into it")
        return self


class WebhookSettings(IntakeSettings):
    """A door at ``POST /in/<name>`` for who signs what it sends (HMAC-SHA256)."""

    scheme: Literal["github", "slack", "standard", "generic"] = Field(
        "generic", description="Whose way of signing; standard is that of standardwebhooks.com."
    )
    secret_file: Path | None = Field(None, description="File with the secret both sides know.")
    secret_env: str = Field("", description="Environment variable with it.")
    header: str = Field(
        "X-Signature",
        pattern=r"^[A-Za-z0-9-]{1,64}$",
        description="generic: the signature's header.",
    )
    signature_prefix: str = Field("", description="generic: what stands before it (sha256=).")
    encoding: Literal["hex", "base64"] = Field("hex", description="generic: how it is written.")
    timestamp_header: str = Field(
        "", description="generic: header with Unix seconds; timestamp.body is signed then."
    )
    window_s: int = Field(300, ge=1, le=86400, description="How old a signed time may be, in s.")

    @model_validator(mode="after")
    def _has_a_secret(self) -> "WebhookSettings":
        if self.secret_file is None and not self.secret_env:
            raise ValueError("needs secret_file or secret_env")
        return self


class PullSettings(BaseModel):
    """What is fetched from elsewhere; each kind is a list of tables (`[[pull.kafka]]`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    s3: tuple[S3Settings, ...] = Field((), description="Buckets: `[[pull.s3]]`.")
    kafka: tuple[KafkaSettings, ...] = Field((), description="Kafka: `[[pull.kafka]]`.")
    nats: tuple[NatsSettings, ...] = Field((), description="NATS JetStream: `[[pull.nats]]`.")
    http: tuple[HttpPollSettings, ...] = Field((), description="HTTP APIs: `[[pull.http]]`.")

    @model_validator(mode="after")
    def _names_differ(self) -> "PullSettings":
        for kind in type(self).model_fields:
            different_names(kind, getattr(self, kind))
        return self


def different_names(kind: str, settings: tuple[IntakeSettings, ...]) -> None:
    """Raises ValueError when two have one name."""
    names = [one.name for one in settings]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"two of {kind} are named {sorted(twice)[0]!r}; each needs its own")


def _both_or_none(settings: IntakeSettings, name: str, secret: str) -> None:
    has_secret = bool(getattr(settings, f"{secret}_file") or getattr(settings, f"{secret}_env"))
    if bool(getattr(settings, name)) != has_secret:
        raise ValueError(f"needs {name} together with {secret}_file or {secret}_env")
