/* The audit: what is recorded, and its way into the stream; see auth.h and docs/AUDIT.md.
 *
 * Happy path: a record is made in the caller's frame and copied into the journal. A process that
 * records no requests has a journal all the same, for acts; it connects when the first comes. */
#include "auth/audit_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define AUDIT_MAGIC    UINT32_C(0x61756474)
#define AUDIT_CAPACITY 4096 /* records that wait: 4 MiB, taken as they are used */
#define AUDIT_ID_MAX   40

typedef enum { AUDIT_NONE, AUDIT_REFUSED, AUDIT_ALL } audit_wish;

struct auth_audit {
    uint32_t magic;
    fanout_journal *journal;
    core_metrics *metrics;
    const char *prefix;
    const char *project;
    const char *environment;
    audit_wish requests;
    char node[AUTH_AUDIT_NODE_MAX];
    char stream[FANOUT_NAME_MAX];
    char subjects[CORE_SUBJECT_MAX];
};

static audit_wish wish_of(const core_config *config) {
    const char *text = core_config_text(config, "audit.requests");
    if (strcmp(text, "none") == 0)
        return AUDIT_NONE;
    return strcmp(text, "refused") == 0 ? AUDIT_REFUSED : AUDIT_ALL;
}

static void node_name(char node[AUTH_AUDIT_NODE_MAX]) {
    if (gethostname(node, AUTH_AUDIT_NODE_MAX) != 0)
        node[0] = '\0';
    node[AUTH_AUDIT_NODE_MAX - 1] = '\0';
}

auth_audit *auth_audit_new(const core_config *config, core_log *log, core_metrics *metrics,
                           core_error *error) {
    auth_audit *audit = calloc(1, sizeof *audit);
    if (audit == NULL) {
        (void)core_error_set(error, CORE_ERROR_INTERNAL, "no memory for the audit");
        return NULL;
    }
    *audit = (auth_audit){
        .magic = AUDIT_MAGIC,
        .metrics = metrics,
        .prefix = core_config_text(config, "nats.prefix"),
        .project = core_config_text(config, "project"),
        .environment = core_config_text(config, "environment"),
        .requests = wish_of(config),
    };
    node_name(audit->node);
    const fanout_journal_spec spec = {
        .config = config,
        .log = log,
        .metrics = metrics,
        .name = "walcast audit",
        .stream = fanout_stream_audit_spec(config, audit->stream, audit->subjects,
                                           sizeof audit->subjects),
        .capacity = AUDIT_CAPACITY,
        .stored = CORE_METRIC_AUDIT_RECORDS,
        .lost = CORE_METRIC_AUDIT_LOST,
    };
    audit->journal = fanout_journal_new(&spec, error);
    if (audit->journal != NULL)
        return audit;
    free(audit);
    return NULL;
}

void auth_audit_free(auth_audit *audit) {
    if (audit == NULL)
        return;
    CORE_MAGIC_CHECK(audit, AUDIT_MAGIC);
    fanout_journal_free(audit->journal);
    audit->magic = 0;
    free(audit);
}

static auth_audit_frame audit_frame(const auth_audit *audit) {
    return (auth_audit_frame){.node = audit->node,
                              .by = "process",
                              .project = audit->project,
                              .environment = audit->environment,
                              .wall_us = core_clock_wall_us(core_clock_system())};
}

/* What finds no room is counted by the journal. */
static void audit_put(auth_audit *audit, const char *project, const char *kind,
                      const core_buffer *record) {
    char subject[CORE_SUBJECT_MAX];
    if (core_subject_audit(audit->prefix, project, kind, subject) && core_buffer_ok(record))
        (void)fanout_journal_put(audit->journal, subject, core_buffer_slice(record));
    else
        core_metrics_add(audit->metrics, CORE_METRIC_AUDIT_LOST, 1);
}

void auth_audit_request(auth_audit *audit, const auth_request *request) {
    if (audit == NULL)
        return;
    CORE_MAGIC_CHECK(audit, AUDIT_MAGIC);
    bool wanted = audit->requests == AUDIT_ALL && !request->quiet;
    if (!wanted && !(request->refused && audit->requests != AUDIT_NONE))
        return;
    uint8_t memory[AUTH_AUDIT_RECORD_MAX];
    core_buffer record = core_buffer_over(memory, sizeof memory);
    const auth_audit_frame frame = audit_frame(audit);
    auth_audit_record_request(&record, &frame, request);
    audit_put(audit, request->claims != NULL ? request->claims->project : audit->project,
              request->join ? "join" : "request", &record);
}

static const char *act_project(const auth_act *act, const char *own) {
    if (act->project != NULL)
        return act->project;
    return act->claims != NULL ? act->claims->project : own;
}

void auth_audit_act(auth_audit *audit, const auth_act *act) {
    if (audit == NULL)
        return;
    CORE_MAGIC_CHECK(audit, AUDIT_MAGIC);
    uint8_t memory[AUTH_AUDIT_RECORD_MAX];
    core_buffer record = core_buffer_over(memory, sizeof memory);
    const auth_audit_frame frame = audit_frame(audit);
    auth_audit_record_act(&record, &frame, act);
    audit_put(audit, act_project(act, audit->project), "act", &record);
}

/* ---- In a command ---- */

static bool act_id(char id[AUDIT_ID_MAX], core_error *error) {
    uint64_t words[2];
    if (getrandom(words, sizeof words, 0) != (ssize_t)sizeof words)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no random number for an audit record");
    (void)snprintf(id, AUDIT_ID_MAX, "%016llx%016llx", (unsigned long long)words[0],
                   (unsigned long long)words[1]);
    return true;
}

static bool act_publish(const core_config *config, fanout_connection *connection,
                        const char *subject, const core_buffer *record, core_error *error) {
    char name[FANOUT_NAME_MAX], subjects[CORE_SUBJECT_MAX], id[AUDIT_ID_MAX];
    fanout_stream_spec spec = fanout_stream_audit_spec(config, name, subjects, sizeof subjects);
    fanout_stream_info info;
    bool duplicate;
    spec.keeps_limits = true;
    fanout_event event = {.subject = subject, .id = id, .payload = core_buffer_slice(record)};
    return act_id(id, error) && fanout_stream_ensure(connection, &spec, &info, error) &&
           fanout_event_publish(connection, &event, &duplicate, error);
}

bool auth_audit_act_wait(const core_config *config, fanout_connection *connection,
                         const auth_act *act, core_error *error) {
    char node[AUTH_AUDIT_NODE_MAX], subject[CORE_SUBJECT_MAX];
    uint8_t memory[AUTH_AUDIT_RECORD_MAX];
    core_buffer record = core_buffer_over(memory, sizeof memory);
    node_name(node);
    const auth_audit_frame frame = {.node = node,
                                    .by = "cli",
                                    .project = core_config_text(config, "project"),
                                    .environment = core_config_text(config, "environment"),
                                    .wall_us = core_clock_wall_us(core_clock_system())};
    auth_audit_record_act(&record, &frame, act);
    if (!core_buffer_ok(&record) ||
        !core_subject_audit(core_config_text(config, "nats.prefix"),
                            act_project(act, frame.project), "act", subject))
        return core_error_set(error, CORE_ERROR_INPUT, "the record of '%.64s' is too long",
                              act->act);
    if (connection != NULL)
        return act_publish(config, connection, subject, &record, error);
    connection = fanout_connection_new(config, "walcast audit", NULL, NULL, error);
    bool ok = connection != NULL && act_publish(config, connection, subject, &record, error);
    fanout_connection_free(connection);
    return ok;
}

void auth_audit_caller(auth_audit *audit, const core_route_caller *caller, const char *act,
                       const char *object, const char *detail) {
    auth_claims claims = {.scopes = caller->scopes};
    const auth_act record = {.act = act, .object = object, .detail = detail, .claims = &claims};
    bool fits =
        core_slice_to_text(caller->role, claims.role, sizeof claims.role) &&
        core_slice_to_text(caller->subject, claims.subject, sizeof claims.subject) &&
        core_slice_to_text(caller->project, claims.project, sizeof claims.project) &&
        core_slice_to_text(caller->environment, claims.environment, sizeof claims.environment) &&
        core_slice_to_text(caller->id, claims.id, sizeof claims.id);
    if (audit != NULL && fits)
        auth_audit_act(audit, &record);
}
