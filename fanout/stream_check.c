/* A stream's configuration made and compared; see stream_check.h.
 *
 * Only what would break a promise is refused: other subjects, memory storage, discard old (silent
 * loss; the broadcasts' history asks for just that, being the last of something), a limit by count
 * or subject (silent loss too), no acks, a mirror. Age, bytes and the duplicate window follow the
 * configuration. */
#include "fanout/stream_check.h"

#include <string.h>

static int64_t limit_or_none(int64_t limit) {
    return limit > 0 ? limit : -1;
}

void fanout_stream_config(const fanout_stream_spec *spec, const char **subjects,
                          jsStreamConfig *config) {
    subjects[0] = spec->subjects;
    *config = (jsStreamConfig){
        .Name = spec->name,
        .Subjects = subjects,
        .SubjectsLen = 1,
        .Retention = js_LimitsPolicy,
        .MaxConsumers = -1,
        .MaxMsgs = -1,
        .MaxBytes = limit_or_none(spec->max_bytes),
        .MaxAge = spec->max_age_ms * CORE_NS_PER_MS,
        .MaxMsgsPerSubject = -1,
        .MaxMsgSize = -1,
        .Discard = spec->discards_old ? js_DiscardOld : js_DiscardNew,
        .Storage = js_FileStorage,
        .Replicas = spec->replicas,
        .Duplicates = spec->duplicate_window_ms * CORE_NS_PER_MS,
        .DenyDelete = !spec->allows_delete,
        .DenyPurge = !spec->allows_purge,
    };
}

static bool refuse(const fanout_stream_spec *spec, const char *what, const char *found,
                   const char *expected, core_error *error) {
    return core_error_set(error, CORE_ERROR_CONFIG,
                          "stream '%s' exists with %s '%s', expected '%s': it is not Walcast's; "
                          "choose another nats.stream (and nats.prefix) or remove that stream",
                          spec->name, what, found, expected);
}

/* A change stream's, narrower or wider: the process had other sources when it was made. */
static bool subjects_are_ours(const char *found, const char *expected) {
    size_t dots = 0, prefix = strcspn(expected, ".");
    for (const char *at = found; *at != '\0'; at++)
        dots += *at == '.';
    for (const char *at = expected; *at != '\0'; at++)
        dots += *at == '.';
    return dots == 8 && strncmp(found, expected, prefix + 1) == 0 && strchr(found, '>') == NULL;
}

bool fanout_stream_matches(const fanout_stream_spec *spec, const jsStreamConfig *found,
                           core_error *error) {
    const char *first = found->SubjectsLen > 0 ? found->Subjects[0] : "(none)";
    if (found->SubjectsLen > 1)
        return refuse(spec, "several subjects, first", first, spec->subjects, error);
    if (strcmp(first, spec->subjects) != 0 && !subjects_are_ours(first, spec->subjects))
        return refuse(spec, "subjects", first, spec->subjects, error);
    if (found->Storage != js_FileStorage)
        return refuse(spec, "storage", "memory", "file", error);
    bool discards_old = found->Discard == js_DiscardOld;
    if (discards_old != spec->discards_old)
        return refuse(spec, "discard policy", discards_old ? "old" : "new",
                      spec->discards_old ? "old" : "new", error);
    if (found->Retention != js_LimitsPolicy)
        return refuse(spec, "retention", "interest or workqueue", "limits", error);
    if (found->NoAck)
        return refuse(spec, "no_ack", "true", "false", error);
    if (found->MaxMsgs > 0 || found->MaxMsgsPerSubject > 0)
        return refuse(spec, "a limit by number of messages", "set", "none", error);
    if (found->Sealed || found->Mirror != NULL || found->SourcesLen > 0)
        return refuse(spec, "kind", "sealed, mirror or sourced", "plain", error);
    return true;
}

bool fanout_stream_differs(const fanout_stream_spec *spec, const jsStreamConfig *found) {
    return found->MaxAge != spec->max_age_ms * CORE_NS_PER_MS ||
           limit_or_none(found->MaxBytes) != limit_or_none(spec->max_bytes) ||
           found->Duplicates != spec->duplicate_window_ms * CORE_NS_PER_MS ||
           found->DenyDelete == spec->allows_delete || found->DenyPurge == spec->allows_purge;
}
