/* See own_event.h. */
#include "triggers/own_event.h"

#include <stdio.h>

enum { TYPE_MAX = TRIGGERS_NAME_MAX + 32, PROJECT_MAX = 256 };

bool triggers_own_event_make(const core_subject_scope *scope, core_slice project, const char *kind,
                             core_slice name, triggers_own_event *event) {
    char type[TYPE_MAX], owner[PROJECT_MAX];
    core_subject_scope place = *scope;
    place.project = owner;
    int length = snprintf(type, sizeof type, "%s%.*s", kind, CORE_SLICE_ARGS(name));
    if (!core_subject_type_long(core_slice_text(type), event->type))
        event->type[0] = '\0';
    return length > 0 && (size_t)length < sizeof type &&
           core_slice_to_text(project, owner, sizeof owner) &&
           core_subject_event(&place, core_slice_text(type), event->subject);
}

size_t triggers_own_event_headers(const triggers_own_event *event, const char *source,
                                  const char *time, const char *depth,
                                  fanout_header headers[TRIGGERS_OWN_EVENT_HEADERS]) {
    size_t count = 0;
    if (event->type[0] != '\0')
        headers[count++] = (fanout_header){"Walcast-Type", event->type};
    headers[count++] = (fanout_header){"Walcast-Source", source};
    headers[count++] = (fanout_header){"Walcast-Time", time};
    headers[count++] = (fanout_header){"Walcast-Depth", depth};
    return count;
}

bool triggers_own_event_publish(fanout_connection *connection, const triggers_own_event *event,
                                const char *source, int64_t time_us, const char *id,
                                core_slice payload, core_error *error) {
    char time[CORE_CLOCK_TEXT_SIZE];
    fanout_header headers[TRIGGERS_OWN_EVENT_HEADERS];
    bool duplicate;
    core_clock_format(time_us, time);
    const fanout_event stored = {.subject = event->subject,
                                 .headers = headers,
                                 .header_count =
                                     triggers_own_event_headers(event, source, time, "0", headers),
                                 .id = id,
                                 .payload = payload};
    return fanout_event_publish(connection, &stored, &duplicate, error);
}
