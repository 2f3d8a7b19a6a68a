/* Every command, once: names, usage, options and help come from this table.
 *
 * Outside tests and users rely on the forms: add, never rename. */
#include "cli/command.h"

#define OPTION_CONFIG                                                                              \
    {                                                                                              \
        .name = "--config", .value = "FILE",                                                       \
        .doc = "the configuration; otherwise $WALCAST_CONFIG, else ./walcast.yaml if it is there"  \
    }
#define OPTION_SOURCE                                                                              \
    {                                                                                              \
        .name = "--source", .value = "NAME",                                                       \
        .doc = "one of the configuration's sources; otherwise the process's own"                   \
    }
#define OPTION_HELP                                                                                \
    { .name = "--help", .doc = "print this" }

static const cli_option run_options[] = {
    {.name = "--roles",
     .value = "LIST",
     .doc = "host only these: cdc, ws, triggers, search (default: roles)"},
    {.name = "--on-gap",
     .value = "CHOICE",
     .doc = "when history is missing: fail, snapshot or continue (default: cdc.on_gap)"},
    OPTION_CONFIG,
    OPTION_HELP,
};

static const cli_option check_options[] = {
    {.name = "--offline", .doc = "look at the configuration only, ask no server"},
    {.name = "--policies",
     .doc = "also where each table's row-level security is evaluated, and why"},
    {.name = "--json", .doc = "print one JSON object"},
    OPTION_CONFIG,
    OPTION_SOURCE,
    OPTION_HELP,
};

static const cli_option search_options[] = {
    {.name = "--filter", .value = "F", .doc = "only documents that it fits: price < 10"},
    {.name = "--sort", .value = "BY", .doc = "instead of the best first: price:asc"},
    {.name = "--limit", .value = "N", .doc = "so many at the most (default: 20)"},
    {.name = "--project", .value = "P", .doc = "whose index (default: project)"},
    {.name = "--token",
     .value = "T",
     .doc = "a token or API key; otherwise one is signed with auth.jwt_secret"},
    {.name = "--url", .value = "URL", .doc = "of the process (default: http.listen)"},
    {.name = "--ca", .value = "FILE", .doc = "PEM: who signed its certificate"},
    {.name = "--json", .doc = "print the answer as it is, one JSON object"},
    OPTION_CONFIG,
    OPTION_HELP,
};

static const cli_option apply_options[] = {
    {.name = "--dry-run", .doc = "say what would be done, change nothing"},
    {.name = "--prune", .doc = "also remove what came from a file that is not among these"},
    {.name = "--json", .doc = "print one JSON object a line"},
    OPTION_CONFIG,
    OPTION_SOURCE,
    OPTION_HELP,
};

static const cli_option trigger_options[] = {
    {.name = "--project",
     .value = "P",
     .doc = "whose: list (default: all), else (default: project)"},
    {.name = "--offline",
     .doc = "validate, test, dry-run: look at the files only, ask no database"},
    {.name = "--event",
     .value = "FILE",
     .doc = "test: the event, as walcast tail --json prints it; - is standard input"},
    {.name = "--id", .value = "EVENT", .doc = "deliveries: only of the event with that id"},
    {.name = "--from",
     .value = "PLACE",
     .doc = "dry-run (default first), redeliver: first, an offset or event's id, or a time"},
    {.name = "--until",
     .value = "PLACE",
     .doc = "dry-run, redeliver: the last one, as --from (default now)"},
    {.name = "--limit", .value = "N", .doc = "dry-run, redeliver: at most so many events"},
    {.name = "--forward",
     .value = "URL",
     .doc = "listen: POST each there as well, signed by a secret that is printed"},
    {.name = "--matched", .doc = "dry-run: print only what would be delivered"},
    {.name = "--json", .doc = "print one JSON object a line"},
    OPTION_CONFIG,
    OPTION_SOURCE,
    OPTION_HELP,
};

static const cli_option dlq_options[] = {
    {.name = "--project", .value = "P", .doc = "whose letters (default: project)"},
    {.name = "--trigger", .value = "N", .doc = "list, --all: only of that trigger"},
    {.name = "--all", .doc = "replay, remove: all letters, or with --trigger all of one trigger"},
    {.name = "--limit", .value = "N", .doc = "list: at most (default 100)"},
    {.name = "--after", .value = "ID", .doc = "list: those behind that one"},
    {.name = "--json", .doc = "print one JSON object a line"},
    OPTION_CONFIG,
    OPTION_HELP,
};

static const cli_option job_options[] = {
    {.name = "--project", .value = "P", .doc = "whose jobs (default: project)"},
    {.name = "--payload", .value = "JSON", .doc = "enqueue: what the worker gets"},
    {.name = "--type", .value = "T", .doc = "enqueue: what the worker tells kinds of jobs by"},
    {.name = "--delay", .value = "TIME", .doc = "enqueue: not before, as 90s or 2h"},
    {.name = "--priority", .value = "N", .doc = "enqueue: -100 to 100, higher ones first"},
    {.name = "--attempts", .value = "N", .doc = "enqueue: then it is dead"},
    {.name = "--unique-key", .value = "K", .doc = "enqueue: one that is not over in the queue"},
    {.name = "--concurrency-key", .value = "K", .doc = "enqueue: one at a time in the queue"},
    {.name = "--queue", .value = "Q", .doc = "list: of that queue"},
    {.name = "--state", .value = "S", .doc = "list: scheduled, ready, running, dead, ..."},
    {.name = "--limit", .value = "N", .doc = "list: at most, of each partition (100)"},
    {.name = "--json", .doc = "enqueue, list: print one JSON object a line"},
    OPTION_CONFIG,
    OPTION_HELP,
};

static const cli_option secret_options[] = {
    {.name = "--project", .value = "P", .doc = "whose: set and rm (default: project), list (all)"},
    {.name = "--json", .doc = "list, rotate: print one JSON object a line"},
    OPTION_CONFIG,
    OPTION_HELP,
};

static const cli_option setup_options[] = {
    {.name = "--print", .doc = "print the SQL, for a look or for psql; connects to nothing"},
    {.name = "--apply", .doc = "run it as the user of postgres.url, and say what is there"},
    OPTION_CONFIG,
    OPTION_SOURCE,
    OPTION_HELP,
};

static const cli_option snapshot_options[] = {
    {.name = "--wait", .doc = "start, resume: until it is over, with a bar on a terminal"},
    {.name = "--where", .value = "SQL", .doc = "start: only rows that this condition is true for"},
    {.name = "--rate", .value = "BYTES", .doc = "start: read at most so much a second: 10MiB"},
    {.name = "--addressed",
     .doc = "start: into a stream of its own, {nats.stream}_SNAPSHOT_{id}, not the change stream"},
    {.name = "--json", .doc = "print one JSON object a line"},
    OPTION_CONFIG,
    OPTION_SOURCE,
    OPTION_HELP,
};

static const cli_option tail_options[] = {
    {.name = "--table",
     .value = "S.T",
     .doc = "only this table's changes; quote names that hold dots: '\"My Schema\".\"T.x\"'"},
    {.name = "--from", .value = "PLACE", .doc = "first, now (default), seq:N, lsn:X/Y or time:T"},
    {.name = "--until", .value = "now", .doc = "end with what the stream holds at the start"},
    {.name = "--shapes", .doc = "also each table's first SCHEMA, which its rows tell anyway"},
    {.name = "--json", .doc = "print one JSON object a line"},
    OPTION_CONFIG,
    OPTION_SOURCE,
    OPTION_HELP,
};

static const cli_option audit_options[] = {
    {.name = "--from", .value = "PLACE", .doc = "first, now (default), seq:N or time:T"},
    {.name = "--until", .value = "now", .doc = "end with what the stream holds at the start"},
    {.name = "--kind", .value = "KIND", .doc = "only these: request, join or act"},
    {.name = "--project", .value = "P", .doc = "only this project's"},
    {.name = "--json", .doc = "one JSON object a line, which they are in any case"},
    OPTION_CONFIG,
    OPTION_HELP,
};

static const cli_option token_options[] = {
    {.name = "--role",
     .value = "R",
     .doc = "the PostgreSQL role: anon, authenticated, service_role, ..."},
    {.name = "--sub", .value = "S", .doc = "who: the claim sub"},
    {.name = "--claim",
     .value = "K=V",
     .doc = "a further claim; V as JSON when it is JSON, else as text; may be repeated",
     .repeats = true},
    {.name = "--ttl",
     .value = "TIME",
     .doc = "how long it is valid (default 1h): 30s, 10m, 365d; revoke: how long it must be kept "
            "in mind, until the token has expired by itself (default 365d)"},
    OPTION_CONFIG,
    OPTION_HELP,
};

static const cli_option keys_options[] = {
    {.name = "--name", .value = "N", .doc = "create: its name, unique in project and environment"},
    {.name = "--role",
     .value = "R",
     .doc = "create: the PostgreSQL role: anon, authenticated, service_role, ..."},
    {.name = "--scope",
     .value = "S[,S]",
     .doc = "create: what it is for: subscribe, broadcast, search, events, jobs, triggers, "
            "workflows, admin; may be repeated",
     .repeats = true},
    {.name = "--sub", .value = "S", .doc = "create: who, as a token's claim sub"},
    {.name = "--project", .value = "P", .doc = "of which project (default: project; list: all)"},
    {.name = "--environment",
     .value = "E",
     .doc = "of which environment (default: environment; list: all)"},
    {.name = "--ttl",
     .value = "TIME",
     .doc = "create: how long it is valid: 12h, 90d (default: until it is revoked)"},
    {.name = "--overlap",
     .value = "TIME",
     .doc = "rotate: how long the key before it goes on counting (default 1h)"},
    {.name = "--json", .doc = "print one JSON object a line"},
    OPTION_CONFIG,
    OPTION_HELP,
};

static const cli_option verify_options[] = {
    {.name = "--json", .doc = "print one JSON object"},
    {.name = "--limit", .value = "N", .doc = "differences to print (default 100); all are counted"},
    {.name = "--values", .doc = "also print the values that differ, cut to 64 bytes"},
    {.name = "--timeout",
     .value = "TIME",
     .doc = "longest wait for a stream that does not move (default 60s)"},
    OPTION_CONFIG,
    OPTION_SOURCE,
    OPTION_HELP,
};

static const cli_option version_options[] = {
    {.name = "--json", .doc = "print one JSON object"},
    OPTION_HELP,
};

static const cli_option help_options[] = {OPTION_HELP};

static const cli_command commands[] = {
    {.name = "run",
     .summary = "run the roles of this process until SIGTERM",
     .usage = "[--roles LIST] [--on-gap fail|snapshot|continue]",
     .doc = "Hosts the roles that the configuration names: cdc reads PostgreSQL's WAL into the\n"
            "change stream, ws serves it to clients. Whatever its roles, the process serves\n"
            "/health/live, /health/ready, /metrics and the console at http.listen.\n"
            "\n"
            "SIGTERM or SIGINT drains: readiness turns false, what is under way is finished for\n"
            "up to drain.timeout, then the process ends. A second signal ends it at once; nothing\n"
            "is lost by that, the next start goes on where the stream ends.\n",
     .options = run_options,
     .option_count = CORE_COUNT_OF(run_options),
     .run = cli_command_run},
    {.name = "check",
     .summary = "check configuration, database and NATS before a run",
     .usage = "[--offline] [--json]",
     .doc = "Prints every configuration value with where it came from (secrets hidden), the most\n"
            "memory that its limits allow, and whether PostgreSQL and NATS are as they must be.\n"
            "Changes nothing. Ends with 0 when all is well, 1 when a server is not as it must be,\n"
            "2 when the configuration is wrong.\n",
     .options = check_options,
     .option_count = CORE_COUNT_OF(check_options),
     .run = cli_command_check},
    {.name = "job",
     .summary = "enqueue, look up, list, cancel and retry jobs",
     .usage = "enqueue QUEUE | show ID | list | cancel ID | retry ID [OPTIONS]",
     .operands = 2,
     .doc = "enqueue prints the new job's id once the stream has the job. show, cancel and retry\n"
            "print the job as JSON; retry makes a dead or cancelled job ready again, with all its\n"
            "attempts. list prints the newest jobs of each partition. They are asked of the\n"
            "partitions' owners over NATS, so nats.url must be that of the processes. See\n"
            "docs/JOBS.md.\n",
     .options = job_options,
     .option_count = CORE_COUNT_OF(job_options),
     .run = cli_command_job},
    {.name = "search",
     .summary = "search an index of a running process",
     .usage = "INDEX WORDS... [--filter F] [--sort BY] [--limit N] [--json]",
     .operands = CLI_OPERANDS_MAX,
     .doc =
         "Asks the process at http.listen, which must host the role search. Prints each document\n"
         "that is found as one line of JSON, the best first; with --json the whole answer. See\n"
         "docs/SEARCH.md.\n",
     .options = search_options,
     .option_count = CORE_COUNT_OF(search_options),
     .run = cli_command_search},
    {.name = "secret",
     .summary = "keep webhook secrets and credentials, sealed, in key-value",
     .usage = "set NAME | list | rm NAME | rotate | key [--project P] [--json]",
     .operands = 2,
     .doc =
         "set reads the value from standard input (a line end at its end is not part of it), or\n"
         "asks for it on a terminal without showing it; never from the command line. list\n"
         "prints names, when each was set, and which master key it is sealed under; values are\n"
         "never printed. rotate seals all that are under an older key anew under the first one;\n"
         "cut, it is simply run again. key prints a new master key. See docs/SECRETS.md.\n",
     .options = secret_options,
     .option_count = CORE_COUNT_OF(secret_options),
     .run = cli_command_secret},
    {.name = "setup",
     .summary = "make the roles and functions for clients in the database",
     .usage = "--print | --apply",
     .doc =
         "What private channels, broadcasts from SQL and policies need in the database: roles "
         "anon,\n"
         "authenticated and service_role; realtime.messages, realtime.topic(), realtime.send(),\n"
         "realtime.broadcast_changes(); auth.uid(), auth.jwt(), auth.role(); and two event "
         "triggers\n"
         "that tell of changed policies and grants. One transaction; run again it changes\n"
         "nothing, and what is there but not Walcast's is left as it is. The user needs CREATE on\n"
         "the database and, for roles that are missing, the right to make them; the event\n"
         "triggers only a superuser can make, without one they are left out. Nothing else of\n"
         "Walcast runs it. See docs/ACCESS.md.\n",
     .options = setup_options,
     .option_count = CORE_COUNT_OF(setup_options),
     .run = cli_command_setup},
    {.name = "snapshot",
     .summary = "read rows that are there already into the stream",
     .usage = "start S.T | pause|resume|cancel S.T|ID | status [S.T|ID] [OPTIONS]",
     .operands = 2,
     .doc =
         "start asks for the rows of a table as READ events, in between the changes and never\n"
         "behind a newer one, and prints the snapshot's id. The walcast that streams the slot\n"
         "reads them, piece by piece; killed, it goes on with the piece it was at. Nothing is\n"
         "written to the database. pause, resume and cancel take an id, or a table and mean its\n"
         "latest snapshot; a failed one is resumed where it stopped. status shows all, or one.\n",
     .options = snapshot_options,
     .option_count = CORE_COUNT_OF(snapshot_options),
     .run = cli_command_snapshot},
    {.name = "tail",
     .summary = "print the change stream's changes as they come",
     .usage = "[--table S.T] [--from PLACE] [--until now] [--shapes] [--json]",
     .doc =
         "Starts at --from: first (the oldest that the stream holds), now, seq:N (a stream\n"
         "sequence), lsn:X/Y (the first transaction committed at or behind that position),\n"
         "time:T (committed at or after: 2025-11-19T00:22:40Z or seconds since 1970). Each JSON\n"
         "line has offset, lsn, xid, op, schema, table, record and old_record (null where the\n"
         "operation has none), commit_timestamp, index and last (the change's place in its\n"
         "transaction), and unchanged: columns that the change did not touch and PostgreSQL\n"
         "did not send. A table whose shape changed has a line of op SCHEMA before the first row\n"
         "of the new one: shape holds version, previous_version, replica_identity and columns.\n"
         "It has the place of the row behind it.\n",
     .options = tail_options,
     .option_count = CORE_COUNT_OF(tail_options),
     .run = cli_command_tail},
    {.name = "audit",
     .summary = "print the records of requests, joins and administrative acts",
     .usage = "[--from PLACE] [--until now] [--kind KIND] [--project P]",
     .doc =
         "Prints each record as one line of JSON, as docs/AUDIT.md describes it: those from\n"
         "--from on (first, the oldest that is kept; now; seq:N, a stream sequence; time:T, when\n"
         "it was stored), then new ones as they come. With --until now it ends with the last\n"
         "that is there.\n",
     .options = audit_options,
     .option_count = CORE_COUNT_OF(audit_options),
     .run = cli_command_audit},
    {.name = "apply",
     .summary = "put files of triggers and indexes into the shared key-value",
     .usage = "[DIR|FILE]... [--dry-run] [--prune] [--json]",
     .operands = CLI_OPERANDS_MAX,
     .doc = "Reads the definitions (by default triggers.dir and search.definitions), holds all of\n"
            "them against the live schema, and puts them into key-value, where every process hears "
            "of\n"
            "them at once. Prints what is created, changed, unchanged and, with --prune, removed.\n"
            "When one file is wrong, nothing is put: all that is wrong is printed with line and\n"
            "column. Ends with 1 then, and when a name is taken by what was made over REST. A file "
            "is\n"
            "a trigger's or an index's by its keys; --prune says nothing of a kind of which the "
            "given\n"
            "paths have none. See docs/TRIGGERS.md and docs/SEARCH.md.\n",
     .options = apply_options,
     .option_count = CORE_COUNT_OF(apply_options),
     .run = cli_command_apply},
    {.name = "trigger",
     .summary = "list, show, validate, try, pause and remove triggers",
     .usage = "list | show NAME | validate FILE... | test FILE... --event FILE | "
              "dry-run NAME|FILE | deliveries NAME | redeliver NAME EVENT... | listen NAME | "
              "pause|resume|enable|disable|delete NAME [OPTIONS]",
     .operands = CLI_OPERANDS_MAX,
     .doc =
         "validate holds files against the live schema and prints all that is wrong with line and\n"
         "column; it changes nothing. test says what each trigger of its files makes of one "
         "event:\n"
         "what would be delivered, or which part of its condition did not hold and with which\n"
         "values; exit code 1 where one would not be delivered. dry-run does so with the changes\n"
         "that the stream still holds, and counts what did not hold. deliveries tells what became "
         "of\n"
         "its events: each attempt, what waits and until when, what was given up and why, and\n"
         "rows for which the condition could not be decided. redeliver has events matched by the\n"
         "present definition, and delivered, once more: those that are named, or from --from to\n"
         "--until those that dry-run shows as matched. listen shows what the trigger makes of "
         "events\n"
         "from now on, beside its deliveries; nothing needs to answer at its endpoint. A paused "
         "trigger goes on matching,\n"
         "and its deliveries wait; a disabled one matches nothing. What came from a file is "
         "enabled,\n"
         "disabled and removed there (walcast apply --prune). See docs/TRIGGERS.md.\n",
     .options = trigger_options,
     .option_count = CORE_COUNT_OF(trigger_options),
     .run = cli_command_trigger},
    {.name = "dlq",
     .summary = "list, show, put back and throw away deliveries that were given up",
     .usage = "list | show ID... | replay ID...|--all | remove ID...|--all [OPTIONS]",
     .operands = CLI_OPERANDS_MAX,
     .doc =
         "Dead letters are deliveries of triggers that were given up: their retries had come to\n"
         "an end, the endpoint is gone, or there was no room to let them wait. list prints them,\n"
         "the oldest first, each with the reason; show prints one whole, with the body that would\n"
         "have been delivered. replay makes each a delivery again, with the same webhook-id and\n"
         "with all its attempts, by the trigger's present endpoint; it leaves the dead letters "
         "once\n"
         "it is stored. remove throws it away. See docs/TRIGGERS.md.\n",
     .options = dlq_options,
     .option_count = CORE_COUNT_OF(dlq_options),
     .run = cli_command_dlq},
    {.name = "keys",
     .summary = "make, list, rotate and revoke API keys",
     .usage = "create --name N --role R --scope S[,S] | list | rotate N | revoke N [OPTIONS]",
     .operands = 2,
     .doc =
         "create prints a new key, alone, on standard output: this once, for only its SHA-256 is\n"
         "kept. rotate makes another under the same name; the one before goes on counting for\n"
         "--overlap, and then ends. revoke ends all keys of a name at once. Every running process\n"
         "hears of it within a second: new use is refused, and what such a key opened is closed.\n"
         "Keys are kept in key-value, so nats.url must be that of the processes. See\n"
         "docs/ACCESS.md.\n",
     .options = keys_options,
     .option_count = CORE_COUNT_OF(keys_options),
     .run = cli_command_keys},
    {.name = "token",
     .summary = "sign a token with auth.jwt_secret",
     .usage = "--role R [--sub S] [--claim K=V]... [--ttl TIME] | revoke JTI [--ttl TIME]",
     .operands = 2,
     .doc =
         "Prints a JSON Web Token (HS256), alone, on standard output.\n"
         "\n"
         "revoke ends tokens by their claim jti, whoever signed them: within a second no process\n"
         "takes them any more, and what they opened is closed. One without a jti (--claim\n"
         "jti=...) cannot be revoked.\n",
     .options = token_options,
     .option_count = CORE_COUNT_OF(token_options),
     .run = cli_command_token},
    {.name = "verify",
     .summary = "compare a table with the stream's last state of each of its rows",
     .usage = "SCHEMA.TABLE [--json] [--limit N] [--values] [--timeout TIME]",
     .operands = 1,
     .doc =
         "Reads the table in one transaction, waits until the stream has passed that point, folds\n"
         "the stream's changes that the transaction saw, and compares both row by row by\n"
         "checksums. Prints the keys of rows that differ, with the columns, that the stream lacks\n"
         "(missing_in_stream) or that only the stream has. Quote names that hold dots:\n"
         "'\"My Schema\".\"T.x\"'; a name alone is in postgres.home_schema.\n"
         "\n"
         "What the stream cannot know is counted as not covered, never as a difference: rows\n"
         "written before what it holds (`walcast snapshot start` reads them into it), values that\n"
         "an UPDATE left unchanged and PostgreSQL did not send, and what an operation did that is\n"
         "not published. Nothing is written but temporary files in cdc.spill_dir and, when the\n"
         "log stands still, one empty transaction. Ends with 0 when nothing differs, 1 when\n"
         "something does or a server is away, 2 when the table or the configuration is wrong.\n",
     .options = verify_options,
     .option_count = CORE_COUNT_OF(verify_options),
     .run = cli_command_verify},
    {.name = "version",
     .summary = "print the version",
     .usage = "[--json]",
     .doc = "",
     .options = version_options,
     .option_count = CORE_COUNT_OF(version_options),
     .run = cli_command_version},
    {.name = "help",
     .summary = "print the help of a command",
     .usage = "[COMMAND]",
     .operands = 1,
     .doc = "",
     .options = help_options,
     .option_count = CORE_COUNT_OF(help_options),
     .run = cli_command_help},
};

const cli_command *cli_commands(size_t *count) {
    *count = CORE_COUNT_OF(commands);
    return commands;
}

const cli_command *cli_command_find(const char *name) {
    for (size_t i = 0; i < CORE_COUNT_OF(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}
