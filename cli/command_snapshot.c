/* `walcast snapshot`: asks for snapshots, and shows how far they are, through their records in the
 * key-value bucket. The process that streams the slot carries them out; this one only writes what
 * is wanted, by compare-and-set, and looks. */
#include "cli/audit.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/tail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    LOOK_EVERY_MS = 200,
    TRIES_MAX = 20,
    ARENA_CHUNK_BYTES = 16 << 10,
    ARENA_MAX_BYTES = 16 << 20,
    SHOWN_MAX = 8192,
    ACT_OBJECT_MAX = 2 * 192, /* a schema and a table, whole or cut */
};

typedef struct {
    core_config *config;
    core_log *log;
    fanout_connection *connection;
    fanout_bucket *bucket;
    core_buffer json;
    core_arena arena; /* of the record at hand */
    core_snapshot record;
    uint64_t revision;
    const char *target; /* S.T or an id */
    tail_table table;
    bool prints_json;
} snapshot_command;

/* ---- Records ---- */

/* False with an INPUT error when there is none of that id. */
static bool record_get(snapshot_command *command, const char *id, core_error *error) {
    char key[CORE_SNAPSHOT_ID_SIZE + 16];
    core_snapshot_key(id, key);
    core_arena_reset(&command->arena);
    if (!fanout_bucket_get(command->bucket, key, &command->json, &command->revision, error))
        return false;
    if (command->revision == 0)
        return core_error_set(error, CORE_ERROR_INPUT, "there is no snapshot \"%s\"", id);
    return core_snapshot_decode(core_buffer_slice(&command->json), &command->arena,
                                &command->record, error);
}

static bool record_put(snapshot_command *command, core_error *error) {
    char key[CORE_SNAPSHOT_ID_SIZE + 16];
    core_snapshot_key(command->record.id, key);
    core_buffer_reset(&command->json);
    core_snapshot_encode(&command->record, &command->json);
    return fanout_bucket_set(command->bucket, key, core_buffer_slice(&command->json),
                             command->revision, &command->revision, error);
}

/* All ids. */
typedef struct {
    char (*ids)[CORE_SNAPSHOT_ID_SIZE];
    size_t count;
} id_list;

static bool id_take(void *context, const char *key) {
    id_list *list = context;
    const char *id = key + strlen(CORE_SNAPSHOT_TOKEN) + 1;
    if (list->count < SHOWN_MAX && strlen(id) < CORE_SNAPSHOT_ID_SIZE)
        (void)snprintf(list->ids[list->count++], CORE_SNAPSHOT_ID_SIZE, "%s", id);
    return true;
}

static bool ids_list(snapshot_command *command, id_list *list, core_error *error) {
    list->ids = calloc(SHOWN_MAX, sizeof *list->ids);
    if (list->ids == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for a list");
    return fanout_bucket_keys(command->bucket, CORE_SNAPSHOT_TOKEN, id_take, list, error);
}

static bool is_of_table(const snapshot_command *command) {
    return core_slice_is(command->record.schema, command->table.schema) &&
           core_slice_is(command->record.table, command->table.table);
}

/* The latest snapshot of the table; its id into `id`. */
static bool latest_find(snapshot_command *command, char id[CORE_SNAPSHOT_ID_SIZE],
                        core_error *error) {
    id_list list = {0};
    int64_t latest_us = 0;
    bool ok = ids_list(command, &list, error);
    id[0] = '\0';
    for (size_t i = 0; ok && i < list.count; i++) {
        core_error gone = {0};
        if (!record_get(command, list.ids[i], &gone) || !is_of_table(command) ||
            command->record.requested_us < latest_us)
            continue;
        latest_us = command->record.requested_us;
        (void)snprintf(id, CORE_SNAPSHOT_ID_SIZE, "%s", list.ids[i]);
    }
    free(list.ids);
    if (ok && id[0] == '\0')
        return core_error_set(error, CORE_ERROR_INPUT, "there is no snapshot of %s.%s",
                              command->table.schema, command->table.table);
    return ok;
}

/* The record that the operand names: an id, or the latest of a table. */
static bool target_get(snapshot_command *command, core_error *error) {
    char id[CORE_SNAPSHOT_ID_SIZE];
    core_error none = {0};
    bool fits = strlen(command->target) < sizeof id && strchr(command->target, '.') == NULL &&
                strchr(command->target, '"') == NULL;
    if (fits && record_get(command, command->target, &none))
        return true;
    return tail_table_parse(command->target,
                            core_config_text(command->config, "postgres.home_schema"),
                            &command->table, error) &&
           latest_find(command, id, error) && record_get(command, id, error);
}

/* ---- Printing ---- */

static void time_print(const char *name, int64_t time_us) {
    char text[CORE_CLOCK_TEXT_SIZE];
    if (time_us == 0)
        return;
    core_clock_format(time_us, text);
    (void)printf(", %s %s", name, text);
}

static void record_print_text(const core_snapshot *record) {
    (void)printf("%s  %.*s.%.*s  %s", record->id, CORE_SLICE_ARGS(record->schema),
                 CORE_SLICE_ARGS(record->table), core_snapshot_state_name(record->state));
    bool over = core_snapshot_is_over(record);
    const char *wish = record->wanted == CORE_SNAPSHOT_PAUSE ? "pausing" : "being cancelled";
    if (!over && record->wanted != CORE_SNAPSHOT_RUN && record->state != CORE_SNAPSHOT_PAUSED)
        (void)printf(" (%s)", wish);
    if (record->wanted == CORE_SNAPSHOT_RUN && record->state == CORE_SNAPSHOT_PAUSED)
        (void)printf(" (to be resumed)");
    (void)printf(", %llu rows", (unsigned long long)record->rows);
    if (!over && record->expected_rows > 0)
        (void)printf(" of about %llu", (unsigned long long)record->expected_rows);
    int64_t until_us = record->finished_us != 0 ? record->finished_us : record->updated_us;
    if (record->rows > 0 && until_us > record->started_us)
        (void)printf(", %.0f rows/s",
                     (double)record->rows * 1e6 / (double)(until_us - record->started_us));
    time_print("begun", record->started_us);
    time_print("ended", record->finished_us);
    if (record->stream.length > 0)
        (void)printf(", into stream %.*s", CORE_SLICE_ARGS(record->stream));
    if (record->error.length > 0)
        (void)printf("\n  %.*s", CORE_SLICE_ARGS(record->error));
    (void)putchar('\n');
}

static void record_print(snapshot_command *command) {
    if (!command->prints_json) {
        record_print_text(&command->record);
        return;
    }
    core_buffer_reset(&command->json);
    core_snapshot_encode(&command->record, &command->json);
    (void)fwrite(command->json.data, 1, command->json.length, stdout);
    (void)putchar('\n');
}

/* ---- Waiting ---- */

static void look_wait(void) {
    struct timespec wait = {.tv_nsec = LOOK_EVERY_MS * CORE_NS_PER_MS};
    while (nanosleep(&wait, &wait) != 0 && errno == EINTR)
        continue;
}

/* Until it is over, or rests; the bar shows how far it is. */
static bool end_wait(snapshot_command *command, core_error *error) {
    char id[CORE_SNAPSHOT_ID_SIZE];
    char told[CORE_ERROR_TEXT_MAX] = "";
    cli_progress progress = cli_progress_make();
    (void)snprintf(id, sizeof id, "%s", command->record.id);
    for (;;) {
        const core_snapshot *record = &command->record;
        if (!record_get(command, id, error))
            return false;
        cli_progress_draw(&progress, record->rows, record->expected_rows, "rows");
        bool rests = record->state == CORE_SNAPSHOT_PAUSED && record->wanted == CORE_SNAPSHOT_PAUSE;
        if (core_snapshot_is_over(record) || rests)
            break;
        if (record->error.length > 0 && !core_slice_is(record->error, told)) {
            cli_progress_end(&progress);
            (void)snprintf(told, sizeof told, "%.*s", CORE_SLICE_ARGS(record->error));
            (void)fprintf(stderr, "walcast: waiting: %s\n", told);
        }
        look_wait();
    }
    cli_progress_end(&progress);
    return true;
}

/* Prints how it ended; an end other than asked for is a bad answer. */
static cli_exit end_print(snapshot_command *command) {
    record_print(command);
    cli_exit printed = cli_output_finish();
    return command->record.state == CORE_SNAPSHOT_FAILED ? CLI_BAD : printed;
}

/* ---- Actions ---- */

static cli_exit fail(const core_error *error) {
    return error->code == CORE_ERROR_INPUT ? cli_usage_fail("snapshot", error) : cli_fail(error);
}

static bool start_read(snapshot_command *command, const cli_arguments *arguments,
                       core_error *error) {
    core_snapshot *record = &command->record;
    const char *where = cli_value(arguments, "--where");
    const char *rate = cli_value(arguments, "--rate");
    int64_t rate_bytes = 0;
    *record = (core_snapshot){.requested_us = core_clock_wall_us(core_clock_system())};
    if (!tail_table_parse(command->target,
                          core_config_text(command->config, "postgres.home_schema"),
                          &command->table, error) ||
        !core_snapshot_id_make(record->id, error))
        return false;
    if (rate != NULL &&
        !core_config_number_read(CORE_CONFIG_BYTES, rate, 1024, INT64_MAX, &rate_bytes, error))
        return core_error_wrap(error, "--rate %s", rate);
    record->schema = core_slice_text(command->table.schema);
    record->table = core_slice_text(command->table.table);
    record->filter = core_slice_text(where);
    record->rate_bytes = (uint64_t)rate_bytes;
    if (record->filter.length > CORE_SNAPSHOT_FILTER_MAX)
        return core_error_set(error, CORE_ERROR_INPUT, "--where has more than %d bytes",
                              CORE_SNAPSHOT_FILTER_MAX);
    if (cli_flag(arguments, "--addressed")) {
        char stream[FANOUT_NAME_MAX];
        (void)snprintf(stream, sizeof stream, "%s_SNAPSHOT_%s",
                       core_config_text(command->config, "nats.stream"), record->id);
        record->stream = core_arena_copy(&command->arena, core_slice_text(stream));
    }
    return true;
}

/* What was asked for, of the record at hand; what --where says is nobody else's. */
static void snapshot_audit(const snapshot_command *command, const char *act) {
    const core_snapshot *record = &command->record;
    char object[ACT_OBJECT_MAX];
    (void)snprintf(object, sizeof object, "%.*s.%.*s", CORE_SLICE_ARGS(record->schema),
                   CORE_SLICE_ARGS(record->table));
    const auth_act told = {.act = act, .object = object, .detail = record->id};
    cli_audit(command->config, command->connection, &told);
}

static cli_exit action_start(snapshot_command *command, const cli_arguments *arguments) {
    core_error error = {0};
    command->revision = 0;
    if (!start_read(command, arguments, &error) || !record_put(command, &error))
        return fail(&error);
    snapshot_audit(command, "snapshot.started");
    if (cli_flag(arguments, "--wait")) {
        if (!end_wait(command, &error))
            return fail(&error);
        return end_print(command);
    }
    if (!command->prints_json)
        (void)printf("%s\n", command->record.id);
    else
        record_print(command);
    return cli_output_finish();
}

/* What the record becomes by an action; false with INPUT when it cannot. */
static bool wish_set(core_snapshot *record, core_snapshot_wanted wanted, core_error *error) {
    bool failed = record->state == CORE_SNAPSHOT_FAILED;
    if (core_snapshot_is_over(record) && !(failed && wanted != CORE_SNAPSHOT_PAUSE))
        return core_error_set(error, CORE_ERROR_INPUT, "snapshot %s is %s already", record->id,
                              core_snapshot_state_name(record->state));
    record->wanted = wanted;
    if (failed) { /* nobody carries it out: it is asked for again, or ended here */
        record->state =
            wanted == CORE_SNAPSHOT_RUN ? CORE_SNAPSHOT_REQUESTED : CORE_SNAPSHOT_CANCELLED;
        record->error = core_slice_make(NULL, 0);
        record->finished_us = 0;
    }
    if (record->state == CORE_SNAPSHOT_PAUSED && wanted == CORE_SNAPSHOT_CANCEL)
        record->state = CORE_SNAPSHOT_CANCELLED;
    return true;
}

static cli_exit action_wish(snapshot_command *command, const cli_arguments *arguments,
                            core_snapshot_wanted wanted) {
    static const char *const acts[] = {[CORE_SNAPSHOT_RUN] = "snapshot.resumed",
                                       [CORE_SNAPSHOT_PAUSE] = "snapshot.paused",
                                       [CORE_SNAPSHOT_CANCEL] = "snapshot.cancelled"};
    core_error error = {0};
    bool put = false;
    for (unsigned i = 0; i < TRIES_MAX && !put; i++) {
        if (!target_get(command, &error) || !wish_set(&command->record, wanted, &error))
            return fail(&error);
        put = record_put(command, &error);
        if (!put && error.code != CORE_ERROR_CONFLICT)
            return fail(&error);
    }
    if (!put)
        return fail(&error);
    snapshot_audit(command, acts[wanted]);
    if (cli_flag(arguments, "--wait") && !end_wait(command, &error))
        return fail(&error);
    return end_print(command);
}

static cli_exit action_status(snapshot_command *command) {
    core_error error = {0};
    id_list list = {0};
    if (command->target != NULL) {
        if (!target_get(command, &error))
            return fail(&error);
        record_print(command);
        return cli_output_finish();
    }
    bool ok = ids_list(command, &list, &error);
    for (size_t i = 0; ok && i < list.count; i++) {
        core_error gone = {0};
        if (record_get(command, list.ids[i], &gone))
            record_print(command);
    }
    free(list.ids);
    return ok ? cli_output_finish() : fail(&error);
}

static cli_exit action_run(snapshot_command *command, const cli_arguments *arguments) {
    const char *action = arguments->operand;
    if (strcmp(action, "status") == 0)
        return action_status(command);
    if (strcmp(action, "start") == 0)
        return action_start(command, arguments);
    if (strcmp(action, "pause") == 0)
        return action_wish(command, arguments, CORE_SNAPSHOT_PAUSE);
    if (strcmp(action, "resume") == 0)
        return action_wish(command, arguments, CORE_SNAPSHOT_RUN);
    return action_wish(command, arguments, CORE_SNAPSHOT_CANCEL);
}

/* ---- The command ---- */

static bool arguments_check(const cli_arguments *arguments, core_error *error) {
    static const char *const actions[] = {"start", "pause", "resume", "cancel", "status"};
    const char *action = arguments->operand;
    for (size_t i = 0; action != NULL && i < CORE_COUNT_OF(actions); i++)
        if (strcmp(action, actions[i]) == 0)
            return arguments->second_operand != NULL || strcmp(action, "status") == 0 ||
                   core_error_set(error, CORE_ERROR_INPUT, "%s what? a table or a snapshot's id",
                                  action);
    return core_error_set(error, CORE_ERROR_INPUT,
                          "expected start, pause, resume, cancel or status%s%s",
                          action != NULL ? ", not " : "", action != NULL ? action : "");
}

static bool resources_open(snapshot_command *command, core_error *error) {
    command->log = core_log_new(STDERR_FILENO, CORE_LOG_WARN, false, core_clock_system());
    if (command->log == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no log");
    command->connection =
        fanout_connection_new(command->config, "walcast snapshot", command->log, NULL, error);
    if (command->connection != NULL)
        command->bucket = fanout_bucket_new(command->connection, command->config, "state", error);
    return command->bucket != NULL;
}

cli_exit cli_command_snapshot(const cli_arguments *arguments) {
    snapshot_command command = {.target = arguments->second_operand,
                                .prints_json = cli_flag(arguments, "--json")};
    core_error error = {0};
    if (!arguments_check(arguments, &error))
        return cli_usage_fail("snapshot", &error);
    command.config = cli_config_load(arguments);
    if (command.config == NULL)
        return CLI_USAGE;
    core_buffer_init(&command.json, CORE_SNAPSHOT_JSON_MAX);
    core_arena_init(&command.arena, ARENA_CHUNK_BYTES, ARENA_MAX_BYTES);
    cli_exit result =
        resources_open(&command, &error) ? action_run(&command, arguments) : cli_fail(&error);
    fanout_bucket_free(command.bucket);
    if (command.connection != NULL)
        fanout_connection_free(command.connection);
    core_log_free(command.log);
    core_arena_fini(&command.arena);
    core_buffer_fini(&command.json);
    core_config_free(command.config);
    return result;
}
