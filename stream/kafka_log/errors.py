"""kafka-python's errors as ours: gone for now, or refused for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka import errors

from stream.contract import LogError, LogUnavailableError

_SETTING_OF: dict[type[Exception], str] = {
    errors.SaslAuthenticationFailedError: "check sasl_plain_username and sasl_plain_password",
    errors.UnsupportedSaslMechanismError: "choose a sasl_mechanism that the brokers have",
    errors.IllegalSaslStateError: "check security_protocol: the listener wants another",
    errors.TopicAuthorizationFailedError: "give this user read, write and describe on the topics of topic_prefix",
    errors.GroupAuthorizationFailedError: "give this user read on the groups of topic_prefix",
    errors.ClusterAuthorizationFailedError: "give this user idempotent-write on the cluster",
    errors.TransactionalIdAuthorizationFailedError: "give this user write on the transactional ids of topic_prefix",
    errors.InvalidReplicationFactorError: "set replication_factor to at most the number of brokers",
    errors.InvalidSessionTimeoutError: "keep session_s within the brokers' group.min/max.session.timeout.ms",
    errors.InvalidTransactionTimeoutError: "keep session_s within the brokers' transaction.max.timeout.ms",
}
"""What no waiting mends, and what does."""

_PERMANENT = (
    *_SETTING_OF,
    errors.AuthorizationError,
    errors.IllegalArgumentError,
    errors.InvalidConfigurationError,
    errors.InvalidGroupIdError,
    errors.InvalidTopicError,
    errors.KafkaConfigurationError,
    errors.MessageSizeTooLargeError,
    errors.PolicyViolationError,
    errors.RecordListTooLargeError,
    errors.UnsupportedVersionError,
)

FENCED = (
    errors.CommitFailedError,
    errors.FencedInstanceIdError,
    errors.IllegalGenerationError,
    errors.UnknownMemberIdError,
)
"""The group goes on without this member: what it owned belongs to others."""


def is_permanent(error: BaseException) -> bool:
    """Whether trying again later cannot help."""
    return isinstance(error, _PERMANENT)


def log_error(doing: str, error: Exception) -> LogError:
    """Our error for one of theirs, to be raised `from` it."""
    name = "" if isinstance(error, errors.KafkaError) else f"{type(error).__name__}: "  # theirs begin with their name
    what = f"{doing}: {name}{error}"
    if not is_permanent(error):
        return LogUnavailableError(what)
    mend = next((mend for kind, mend in _SETTING_OF.items() if isinstance(error, kind)), None)
    return LogError(f"{what}. {mend}" if mend else what)


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Let no kafka-python error out of this block. `doing` says what was tried, with the name of the stream."""
    try:
        yield
    except errors.KafkaError as error:
        raise log_error(doing, error) from error
