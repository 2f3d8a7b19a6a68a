/* Every configuration key, once: the parser, the checks, the help and docs/CONFIG.md come from
 * here.
 *
 * Outside tests and users rely on the names: add, never rename. A row's doc says what happens at
 * the maximum where the key is a limit. After a change the target `config_reference` makes
 * docs/CONFIG.md anew; a test says when that was forgotten. */
#include "core/config_private.h"

#define KIB    INT64_C(1024)
#define MIB    (KIB * 1024)
#define GIB    (MIB * 1024)
#define TIB    (GIB * 1024)
#define SECOND CORE_MS_PER_S
#define MINUTE (SECOND * 60)
#define HOUR   (MINUTE * 60)
#define DAY    (HOUR * 24)

static const core_config_row config_rows[] = {
    {.key = "project",
     .type = CORE_CONFIG_TEXT,
     .initial = "default",
     .check = core_config_check_tenant,
     .doc = "Project whose changes this process carries; the second token of every subject."},
    {.key = "environment",
     .type = CORE_CONFIG_TEXT,
     .initial = "dev",
     .check = core_config_check_tenant,
     .doc = "Environment of the project; the third token of every subject."},
    {.key = "roles",
     .type = CORE_CONFIG_LIST,
     .initial = "cdc,ws,triggers,search",
     .choices = "cdc|ws|triggers|search",
     .doc = "Parts that this process hosts."},

    {.key = "postgres.url",
     .type = CORE_CONFIG_TEXT,
     .initial = "postgres://postgres@127.0.0.1:5432/postgres",
     .check = core_config_check_postgres_url,
     .doc = "The source database as a libpq URL, TLS settings included (`?sslmode=verify-full`); "
            "its user needs REPLICATION and may read the published tables."},
    {.key = "postgres.slot",
     .type = CORE_CONFIG_TEXT,
     .initial = "walcast",
     .check = core_config_check_slot,
     .doc = "Logical replication slot; made when missing."},
    {.key = "postgres.publication",
     .type = CORE_CONFIG_TEXT,
     .initial = "walcast",
     .check = core_config_check_identifier,
     .doc = "Publication; made when missing, and used as it is when it exists."},
    {.key = "postgres.tables",
     .type = CORE_CONFIG_LIST,
     .initial = "public.*",
     .check = core_config_check_table,
     .doc = "Tables that a new publication holds: `schema.table`, or `schema.*` for all of one."},
    {.key = "postgres.home_schema",
     .type = CORE_CONFIG_TEXT,
     .initial = "public",
     .check = core_config_check_identifier,
     .doc = "Schema whose tables stand in subjects without a schema part."},
    {.key = "postgres.tenant_schemas",
     .type = CORE_CONFIG_LIST,
     .check = core_config_check_tenant_schema,
     .doc = "Schemas that belong to projects of their own, such as `proj_{project_id}`; all their "
            "tables are published, those of later schemas too. The first pattern's schema is the "
            "project's home, which its clients call `public`. See TENANTS.md."},
    {.key = "postgres.connect_timeout",
     .type = CORE_CONFIG_DURATION,
     .initial = "10s",
     .min = SECOND,
     .max = 10 * MINUTE,
     .doc = "Longest wait for a connection; then it is tried again with backoff."},
    {.key = "postgres.pool_size",
     .type = CORE_CONFIG_INTEGER,
     .initial = "4",
     .min = 1,
     .max = 64,
     .unit = "connections",
     .doc =
         "Connections over which the gateway asks the database what it needs to know; made when "
         "needed. Rows held against policies in SQL take all but two of them, with snapshots all "
         "but one (of two connections one, of one all)."},
    {.key = "postgres.pool_queue",
     .type = CORE_CONFIG_INTEGER,
     .initial = "4096",
     .min = 1,
     .max = 65536,
     .unit = "queries",
     .doc =
         "Queries that may wait for one of them; at the maximum a join that needs one is refused "
         "and may be tried again. Rows held against policies leave a quarter of it to others."},
    {.key = "postgres.query_timeout",
     .type = CORE_CONFIG_DURATION,
     .initial = "10s",
     .min = 100,
     .max = 10 * MINUTE,
     .doc = "Longest time of such a query, and longest wait for one of the connections."},
    {.key = "postgres.status_interval",
     .type = CORE_CONFIG_DURATION,
     .initial = "10s",
     .min = 100,
     .max = 30 * SECOND,
     .doc = "Time between two reports of the confirmed position; at most half of PostgreSQL's "
            "default `wal_sender_timeout`, after which the server cuts the connection."},
    {.key = "postgres.streaming",
     .type = CORE_CONFIG_CHOICE,
     .initial = "auto",
     .choices = "auto|off",
     .doc = "Whether large transactions are sent while they run (PostgreSQL 14 and newer): "
            "PostgreSQL then need not write them to its own disk, and they are published sooner "
            "after their commit. `off`: only whole ones."},
    {.key = "postgres.two_phase",
     .type = CORE_CONFIG_BOOL,
     .initial = "false",
     .doc = "Take prepared transactions at PREPARE (PostgreSQL 15 and newer) and publish them at "
            "COMMIT PREPARED. The slot then keeps WAL since the oldest one that is prepared and "
            "not committed. Without it PostgreSQL sends them whole at COMMIT PREPARED. A slot "
            "that had it on once keeps it, whatever is set here."},
    {.key = "postgres.failover",
     .type = CORE_CONFIG_BOOL,
     .initial = "false",
     .doc =
         "Make the slot a failover slot (PostgreSQL 17 and newer; before it a log line says that "
         "there is none): a standby with `sync_replication_slots` keeps a copy, and after its "
         "promotion the stream goes on from there. One that was marked stays so."},
    {.key = "postgres.binary",
     .type = CORE_CONFIG_BOOL,
     .initial = "false",
     .doc = "Take values in their types' binary form (PostgreSQL 14 and newer), as it is sent, for "
            "consumers that read it. Not with `nats.encoding: json`."},

    {.key = "nats.url",
     .type = CORE_CONFIG_TEXT,
     .initial = "nats://127.0.0.1:4222",
     .check = core_config_check_nats_urls,
     .doc = "NATS server, or several of one cluster with commas between; `nats://` or `tls://`."},
    {.key = "nats.creds", .type = CORE_CONFIG_TEXT, .doc = "File with the user's JWT and seed."},
    {.key = "nats.tls_ca",
     .type = CORE_CONFIG_TEXT,
     .doc = "File with the certificates that may sign the server's; the system's when not set."},
    {.key = "nats.tls_cert",
     .type = CORE_CONFIG_TEXT,
     .doc = "File with the client's certificate; needs `nats.tls_key`."},
    {.key = "nats.tls_key",
     .type = CORE_CONFIG_TEXT,
     .doc = "File with the client certificate's private key; needs `nats.tls_cert`."},
    {.key = "nats.tls_required",
     .type = CORE_CONFIG_BOOL,
     .initial = "false",
     .doc = "Refuse a server that does not offer TLS. A `tls://` URL asks for it too."},
    {.key = "nats.connect_timeout",
     .type = CORE_CONFIG_DURATION,
     .initial = "5s",
     .min = 100,
     .max = 5 * MINUTE,
     .doc = "Longest wait for a connection; then it is tried again with backoff."},
    {.key = "nats.stream",
     .type = CORE_CONFIG_TEXT,
     .initial = "WALCAST",
     .check = core_config_check_stream,
     .doc = "The change stream; all other streams and buckets begin with its name."},
    {.key = "nats.prefix",
     .type = CORE_CONFIG_TEXT,
     .initial = "atlasdb",
     .check = core_config_check_prefix,
     .doc = "First token of every subject."},
    {.key = "nats.max_age",
     .type = CORE_CONFIG_DURATION,
     .initial = "7d",
     .min = 0,
     .max = 3650 * DAY,
     .doc = "How long the stream keeps a change; 0 keeps it for ever. Older changes are removed."},
    {.key = "nats.max_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "0",
     .min = 0,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of the stream; 0 is without limit. At the maximum JetStream refuses new changes "
            "and PostgreSQL holds its WAL until age makes room."},
    {.key = "nats.replicas",
     .type = CORE_CONFIG_INTEGER,
     .initial = "1",
     .min = 1,
     .max = 5,
     .unit = "servers",
     .doc = "Copies of the stream in a cluster."},
    {.key = "nats.confirm_lag",
     .type = CORE_CONFIG_DURATION,
     .initial = "0",
     .min = 0,
     .max = HOUR,
     .doc = "How long after JetStream's acknowledgement a change is confirmed to PostgreSQL. 0 is "
            "safe against the death of any process; the server's `sync_interval` (2m by default) "
            "is safe against a power cut too."},
    {.key = "nats.encoding",
     .type = CORE_CONFIG_CHOICE,
     .initial = "protobuf",
     .choices = "protobuf|json",
     .doc = "Form of the stream's messages. `json`: each change is a message of its own, a JSON "
            "object much as Debezium's (docs/JSON.md), for consumers that do not read "
            "core/event.proto; it costs time and space. It can be changed at any restart: readers "
            "of Walcast's take both. Not with `postgres.binary`."},
    {.key = "nats.ack_timeout",
     .type = CORE_CONFIG_DURATION,
     .initial = "5s",
     .min = 100,
     .max = 5 * MINUTE,
     .doc = "Longest wait for an acknowledgement; then the writer drops its window, reads the "
            "stream's end and goes on from there."},
    {.key = "nats.window_messages",
     .type = CORE_CONFIG_INTEGER,
     .initial = "4096",
     .min = 1,
     .max = 65536,
     .unit = "messages",
     .doc = "Messages published and not yet acknowledged; at the maximum reading the slot waits."},
    {.key = "nats.window_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "16MiB",
     .min = MIB,
     .max = GIB,
     .unit = "bytes",
     .doc = "The same in bytes; at least `cdc.run_bytes`."},

    {.key = "cdc.run_rows",
     .type = CORE_CONFIG_INTEGER,
     .initial = "128",
     .min = 1,
     .max = 65535,
     .unit = "rows",
     .doc = "Rows of one message; a run of changes that reaches it goes on in the next message."},
    {.key = "cdc.run_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "256KiB",
     .min = 4 * KIB,
     .max = 8 * MIB,
     .unit = "bytes",
     .doc = "The same in bytes. A server whose `max_payload` is smaller sets the bound instead."},
    {.key = "cdc.memory_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "16MiB",
     .min = MIB,
     .max = 64 * GIB,
     .unit = "bytes",
     .doc = "Memory for transactions that are sent while they run; beyond it the largest goes on "
            "in `cdc.spill_dir`."},
    {.key = "cdc.spill_dir",
     .type = CORE_CONFIG_TEXT,
     .initial = ".walcast/spill",
     .doc = "Directory of the file that holds what `cdc.memory_bytes` does not; made when missing. "
            "The file has no name and is gone with the process."},
    {.key = "cdc.spill_max_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "0",
     .min = 0,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of that file; 0 is as much as the disk holds. At the maximum, or when the disk "
            "is full, PostgreSQL is asked to hold transactions itself, for ten minutes."},
    {.key = "cdc.max_row_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "256MiB",
     .min = MIB,
     .max = GIB,
     .unit = "bytes",
     .doc = "Largest row. One that does not fit into a message of the server's `max_payload` is "
            "split over several, and put together again by every reader, which needs that much "
            "memory. A row beyond it stops the source with a clear error; PostgreSQL keeps the "
            "WAL."},

    {.key = "cdc.on_gap",
     .type = CORE_CONFIG_CHOICE,
     .initial = "fail",
     .choices = "fail|snapshot|continue",
     .doc = "What becomes of changes that can no longer be had (a slot dropped or lost, another "
            "cluster or timeline, a broker that lost messages): `fail` stops with the reason until "
            "a person decides; `continue` says so by a GAP event in the stream and goes on from "
            "what is there now; `snapshot` also reads all published tables anew. `walcast run "
            "--on-gap` overrides it. See OPERATIONS.md, Gaps."},
    {.key = "cdc.toast",
     .type = CORE_CONFIG_CHOICE,
     .initial = "absent",
     .choices = "absent|read",
     .doc = "What becomes of a large value that an UPDATE did not touch and PostgreSQL therefore "
            "did not send: `absent` leaves it out and names it in `unchanged`; `read` asks the "
            "table for it by the row's key, one query a row, and names it in `read_later`, since "
            "it may be newer than the change. With REPLICA IDENTITY FULL the old image has it and "
            "neither is needed."},

    {.key = "cdc.heartbeat",
     .type = CORE_CONFIG_DURATION,
     .initial = "30s",
     .min = 0,
     .max = DAY,
     .doc = "How long the position may stand still while PostgreSQL writes WAL that is not for us; "
            "then a tiny logical message `walcast.heartbeat` is written to move it. As a rule the "
            "server's keepalives move it and none is written. 0: never."},
    {.key = "cdc.warn_lag_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "1GiB",
     .min = 0,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "WAL written and not yet confirmed beyond which `/health/ready` says `warning`. 0: "
            "never."},
    {.key = "cdc.warn_safe_wal_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "256MiB",
     .min = 0,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "`/health/ready` says `warning` when less WAL than this, or than half of "
            "`max_slot_wal_keep_size`, may be written before the slot is lost. 0: never."},

    {.key = "snapshot.initial",
     .type = CORE_CONFIG_LIST,
     .check = core_config_check_table,
     .doc = "Tables whose rows are read into the stream when the slot is made, before the first "
            "change: `schema.table`, `schema.*` or `*.*`. Any table can be read at any time with "
            "`walcast snapshot start`."},
    {.key = "snapshot.workers",
     .type = CORE_CONFIG_INTEGER,
     .initial = "4",
     .min = 1,
     .max = 16,
     .unit = "connections",
     .doc = "Connections over which snapshots read; each holds up to 16 MiB of rows."},
    {.key = "snapshot.piece_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "4MiB",
     .min = 1024,
     .max = 16 * MIB,
     .unit = "bytes",
     .doc = "What is read of a table at once, about: how far a killed snapshot falls back. A table "
            "with a key is read at least ten rows at once, another a block."},
    {.key = "snapshot.live_share",
     .type = CORE_CONFIG_INTEGER,
     .initial = "3",
     .min = 1,
     .max = 100,
     .unit = "percent",
     .doc = "While 20 transactions a second or more flow, snapshots beside them read 64 KiB at a "
            "time, over one connection, for this part of the time, and send them evenly: so a "
            "change hardly waits for them. 100: as fast as they can, at all times."},
    {.key = "snapshot.stream_max_age",
     .type = CORE_CONFIG_DURATION,
     .initial = "1d",
     .min = MINUTE,
     .max = 365 * DAY,
     .doc = "Age at which rows leave the stream of an addressed snapshot."},
    {.key = "snapshot.stream_max_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "1GiB",
     .min = MIB,
     .max = INT64_MAX,
     .unit = "bytes",
     .doc = "Size at which the stream of an addressed snapshot is full; reading waits then. The "
            "broker reserves so much of its max_file_store for each."},

    {.key = "events.max_age",
     .type = CORE_CONFIG_DURATION,
     .initial = "7d",
     .min = 0,
     .max = 3650 * DAY,
     .doc =
         "How long the stream of events (`{nats.stream}_EVENTS`) keeps one; 0 keeps it for ever."},
    {.key = "events.max_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "0",
     .min = 0,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc =
         "Size of the stream of events; 0 is without limit. At the maximum logical messages wait "
         "in the change stream until age makes room."},

    {.key = "realtime.max_age",
     .type = CORE_CONFIG_DURATION,
     .initial = "72h",
     .min = 0,
     .max = 3650 * DAY,
     .doc = "How long private broadcasts are kept for replay (`{nats.stream}_REALTIME`); 0 keeps "
            "them as long as there is room."},
    {.key = "realtime.max_bytes",
     .type = CORE_CONFIG_BYTES,
     .initial = "256MiB",
     .min = MIB,
     .max = 1024 * TIB,
     .unit = "bytes",
     .doc = "Size of that history; at the maximum the oldest broadcasts make room for new ones."},

#include "core/config_table_ws.h"

#include "core/config_table_access.h"

#include "core/config_table_records.h"

#include "core/config_table_work.h"

#include "core/config_table_jobs.h"

#include "core/config_table_search.h"

    {.key = "triggers.dir",
     .type = CORE_CONFIG_TEXT,
     .initial = "triggers/",
     .doc = "Directory of trigger definitions; one that does not exist is an empty one."},
    {.key = "triggers.allow",
     .type = CORE_CONFIG_LIST,
     .check = core_config_check_allowed,
     .doc = "Addresses or networks that webhooks may reach although they are private: "
            "`10.0.0.0/8`, of every project of the source; `shop=10.1.0.0/16`, of that one alone. "
            "Never this process's own port, nor its database's or broker's."},
    {.key = "triggers.ca",
     .type = CORE_CONFIG_TEXT,
     .doc = "File with the certificates (PEM) of the authorities that receivers' own are checked "
            "against, instead of the system's."},
    {.key = "workflows.dir",
     .type = CORE_CONFIG_TEXT,
     .initial = "workflows/",
     .doc = "Directory of workflow definitions; one that does not exist is an empty one."},

    {.key = "drain.timeout",
     .type = CORE_CONFIG_DURATION,
     .initial = "10s",
     .min = 0,
     .max = 10 * MINUTE,
     .doc = "Longest time between SIGTERM and the end; what is not acknowledged by then is sent "
            "again after the next start."},
    {.key = "log.level",
     .type = CORE_CONFIG_CHOICE,
     .initial = "info",
     .choices = "debug|info|warn|error",
     .doc = "Least important lines that are logged."},
    {.key = "log.format",
     .type = CORE_CONFIG_CHOICE,
     .initial = "text",
     .choices = "text|json",
     .doc = "Form of the log's lines."},
};

const core_config_row *core_config_rows(size_t *count) {
    *count = CORE_COUNT_OF(config_rows);
    return config_rows;
}
