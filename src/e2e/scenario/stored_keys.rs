//! JetStream's own names for the settings of streams, consumers, buckets and object stores.
//!
//! Those of streams and consumers are the fields of nats-server's `StreamConfig` and `ConsumerConfig`;
//! those of buckets are what client libraries call them.

use super::form::{Form, Key, key};

const STORAGE: Key = key("storage", Form::Word(&["file", "memory"]), "Where it is kept: `file`.");
const DESCRIPTION: Key = key("description", Form::Text, "What it is for.");
const MAX_BYTES: Key = key("max_bytes", Form::Integer, "So many bytes at most.");
const NUM_REPLICAS: Key = key("num_replicas", Form::Count(1), "On so many nodes of a cluster.");
const METADATA: Key = key("metadata", Form::Object, "Texts by name.");

/// `[streams.NAME]`.
pub(in crate::e2e) const STREAM: &[Key] = &[
    DESCRIPTION,
    key("subjects", Form::Texts, "What it takes; wildcards are allowed."),
    key("retention", Form::Word(&["limits", "interest", "workqueue"]), "How long it keeps one."),
    STORAGE,
    NUM_REPLICAS,
    key("max_msgs", Form::Integer, "So many messages at most."),
    key("max_msgs_per_subject", Form::Integer, "So many on one subject."),
    MAX_BYTES,
    key("max_age", Form::Duration, "None is older."),
    key("max_msg_size", Form::Integer, "None has more bytes."),
    key("max_consumers", Form::Integer, "So many consumers at most."),
    key("discard", Form::Word(&["old", "new"]), "What goes where it is full."),
    key("discard_new_per_subject", Form::Truth, "Also where one subject is full."),
    key("duplicate_window", Form::Duration, "A message id is known so long."),
    key("no_ack", Form::Truth, "Nobody is told that it was stored."),
    key("allow_direct", Form::Truth, "Any copy answers who reads one message."),
    key("allow_rollup_hdrs", Form::Truth, "A message may take the place of all before it."),
    key("allow_msg_ttl", Form::Truth, "A message may say how long it lives."),
    key("subject_delete_marker_ttl", Form::Duration, "So long is it told that one has gone."),
    key("allow_atomic", Form::Truth, "Several messages may be stored as one."),
    key("allow_msg_counter", Form::Truth, "Its subjects are counters."),
    key("allow_msg_schedules", Form::Truth, "A message may be published later."),
    key("deny_delete", Form::Truth, "No message can be deleted."),
    key("deny_purge", Form::Truth, "It cannot be purged."),
    key("compression", Form::Word(&["none", "s2"]), "How it is packed."),
    key("first_seq", Form::Integer, "The number of its first message."),
    key("subject_transform", Form::Object, "`src` and `dest`."),
    key("republish", Form::Object, "`src`, `dest`, `headers_only`: told once it is stored."),
    key("mirror", Form::Object, "The stream that it copies, by `name`."),
    key("sources", Form::Array, "Streams from which it takes what they take."),
    key("consumer_limits", Form::Object, "What consumers get unless they say."),
    METADATA,
    key("consumers", Form::Stored(CONSUMER), "Its consumers, a table a consumer."),
];

/// `[streams.NAME.consumers.C]`.
pub(in crate::e2e) const CONSUMER: &[Key] = &[
    DESCRIPTION,
    key("filter_subject", Form::Text, "What it delivers; wildcards are allowed."),
    key("filter_subjects", Form::Texts, "Several of these."),
    key("ack_policy", Form::Word(&["explicit", "all", "none"]), "`explicit`, unless said."),
    key("ack_wait", Form::Duration, "Delivered again after so long."),
    key("max_deliver", Form::Integer, "Delivered so often at most."),
    key("backoff", Form::Durations, "Waits between deliveries; they override `ack_wait`."),
    key("max_ack_pending", Form::Integer, "So many may be unacknowledged."),
    key("max_waiting", Form::Integer, "So many pulls may wait."),
    key("max_batch", Form::Integer, "So many messages a pull."),
    key("max_expires", Form::Duration, "A pull waits so long at most."),
    MAX_BYTES,
    key("deliver_policy", Form::Word(DELIVER), "Where it begins: `all`."),
    key("opt_start_seq", Form::Integer, "The first, by `by_start_sequence`."),
    key("opt_start_time", Form::Text, "The first, by `by_start_time`."),
    key("deliver_subject", Form::Text, "It pushes, to this subject."),
    key("deliver_group", Form::Text, "To one of this queue group."),
    key("flow_control", Form::Truth, "Who is pushed to says that it keeps up."),
    key("idle_heartbeat", Form::Duration, "Says so often that nothing came."),
    key("replay_policy", Form::Word(&["instant", "original"]), "How fast: `instant`."),
    key("rate_limit_bps", Form::Integer, "So many bits a second are pushed."),
    key("sample_freq", Form::Text, "Of so many acknowledgements it is told how long they took."),
    key("headers_only", Form::Truth, "Without bodies."),
    key("inactive_threshold", Form::Duration, "Removed once nobody has asked for so long."),
    NUM_REPLICAS,
    key("mem_storage", Form::Truth, "What it knows is in memory."),
    key("priority_groups", Form::Texts, "Groups of those who pull."),
    key("priority_policy", Form::Text, "How one of them is chosen."),
    METADATA,
];

const DELIVER: &[&str] =
    &["all", "last", "new", "last_per_subject", "by_start_sequence", "by_start_time"];

/// `[kv.NAME]`.
pub(in crate::e2e) const KV: &[Key] = &[
    DESCRIPTION,
    key("history", Form::Count(1), "So many values of one key are kept; 1."),
    key("ttl", Form::Duration, "A value lives so long."),
    key("max_value_size", Form::Integer, "None has more bytes."),
    MAX_BYTES,
    STORAGE,
    NUM_REPLICAS,
    METADATA,
];

/// `[objects.NAME]`.
pub(in crate::e2e) const OBJECTS: &[Key] = &[
    DESCRIPTION,
    key("ttl", Form::Duration, "An object lives so long."),
    MAX_BYTES,
    STORAGE,
    NUM_REPLICAS,
    METADATA,
];
