/* See audit_record.h. Members that have nothing to say are left out; their order is fixed. */
#include "auth/audit_record.h"

#include <inttypes.h>
#include <stdio.h>

#define RECORD_VERSION  1
#define RECORD_TEXT_MAX 128 /* of one member */
#define RECORD_SHORT    40  /* of one member in a record that was cut */

typedef struct {
    core_json_writer json;
    size_t text_max;
} record;

static record record_begin(core_buffer *out, const auth_audit_frame *frame, const char *kind,
                           size_t text_max) {
    char time[CORE_CLOCK_TEXT_SIZE];
    record it = {.json = core_json_writer_make(out), .text_max = text_max};
    core_clock_format(frame->wall_us, time);
    core_json_object_open(&it.json);
    core_json_key_text(&it.json, "v");
    core_json_unsigned(&it.json, RECORD_VERSION);
    core_json_key_text(&it.json, "kind");
    core_json_text(&it.json, kind);
    core_json_key_text(&it.json, "time");
    core_json_text(&it.json, time);
    return it;
}

static void record_slice(record *it, const char *name, core_slice text) {
    if (text.length == 0)
        return;
    if (text.length > it->text_max)
        text.length = it->text_max;
    core_json_key_text(&it->json, name);
    core_json_string(&it->json, text); /* half a character at the end becomes U+FFFD */
}

static void record_text(record *it, const char *name, const char *text) {
    if (text != NULL)
        record_slice(it, name, core_slice_text(text));
}

static void record_number(record *it, const char *name, uint64_t number) {
    core_json_key_text(&it->json, name);
    core_json_unsigned(&it->json, number);
}

/* Milliseconds with three digits behind the point. */
static void record_ms(record *it, int64_t took_ns) {
    char text[32];
    int64_t took_us = took_ns > 0 ? took_ns / 1000 : 0;
    (void)snprintf(text, sizeof text, "%" PRId64 ".%03" PRId64, took_us / CORE_US_PER_MS,
                   took_us % CORE_US_PER_MS);
    core_json_key_text(&it->json, "ms");
    core_json_raw(&it->json, core_slice_text(text));
}

static void record_client(record *it, const core_address *client) {
    char text[CORE_ADDRESS_TEXT_SIZE];
    if (client->family == CORE_ADDRESS_NONE)
        return;
    core_address_text(client, text);
    record_text(it, "client", text);
}

static void record_end(record *it, const auth_audit_frame *frame, bool cut) {
    record_text(it, "node", frame->node);
    if (cut) {
        core_json_key_text(&it->json, "cut");
        core_json_bool(&it->json, true);
    }
    core_json_object_close(&it->json);
}

static void record_who(record *it, const auth_claims *claims) {
    if (claims == NULL)
        return;
    record_text(it, "credential", claims->id);
    record_text(it, "subject", claims->subject);
    record_text(it, "role", claims->role);
}

static void record_where(record *it, const char *project, const char *environment) {
    record_text(it, "project", project);
    record_text(it, "environment", environment);
}

static void request_write(core_buffer *out, const auth_audit_frame *frame,
                          const auth_request *request, bool cut) {
    const auth_claims *claims = request->claims;
    record it = record_begin(out, frame, request->join ? "join" : "request",
                             cut ? RECORD_SHORT : RECORD_TEXT_MAX);
    record_slice(&it, "id", request->id);
    if (!cut)
        record_who(&it, claims);
    record_where(&it, claims != NULL ? claims->project : frame->project,
                 claims != NULL ? claims->environment : frame->environment);
    record_text(&it, "route", request->route);
    if (request->join) {
        record_slice(&it, "outcome", request->outcome);
    } else {
        record_text(&it, "method", request->method);
        record_number(&it, "status", request->status);
        record_number(&it, "bytes", request->bytes);
    }
    record_ms(&it, request->took_ns);
    record_client(&it, &request->client);
    record_end(&it, frame, cut);
}

void auth_audit_record_request(core_buffer *out, const auth_audit_frame *frame,
                               const auth_request *request) {
    request_write(out, frame, request, false);
    if (core_buffer_ok(out))
        return;
    core_buffer_reset(out);
    request_write(out, frame, request, true);
}

static void act_write(core_buffer *out, const auth_audit_frame *frame, const auth_act *act,
                      bool cut) {
    const auth_claims *claims = act->claims;
    record it = record_begin(out, frame, "act", cut ? RECORD_SHORT : RECORD_TEXT_MAX);
    record_text(&it, "act", act->act);
    record_text(&it, "object", act->object);
    if (!cut) {
        record_text(&it, "detail", act->detail);
        record_who(&it, claims);
    }
    record_text(&it, "by", claims != NULL ? "credential" : frame->by);
    const char *project = claims != NULL ? claims->project : frame->project;
    const char *environment = claims != NULL ? claims->environment : frame->environment;
    record_where(&it, act->project != NULL ? act->project : project,
                 act->environment != NULL ? act->environment : environment);
    record_end(&it, frame, cut);
}

void auth_audit_record_act(core_buffer *out, const auth_audit_frame *frame, const auth_act *act) {
    act_write(out, frame, act, false);
    if (core_buffer_ok(out))
        return;
    core_buffer_reset(out);
    act_write(out, frame, act, true);
}
