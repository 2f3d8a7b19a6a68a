/* See marker.h. A record that cannot be read is begun anew: marks only add to what verify knows. */
#include "cdc/marker.h"

const char cdc_marks_key[] = "marks.default";

bool cdc_marker_put(fanout_bucket *bucket, const char *epoch, const cdc_mark *mark,
                    core_error *error) {
    core_buffer json;
    cdc_marks marks;
    core_error ignored;
    uint64_t revision = 0;
    core_buffer_init(&json, CDC_MARKS_JSON_MAX);
    bool ok = fanout_bucket_get(bucket, cdc_marks_key, &json, &revision, error);
    if (ok && (revision == 0 || !cdc_marks_decode(core_buffer_slice(&json), &marks, &ignored)))
        marks = (cdc_marks){0};
    if (ok) {
        cdc_marks_add(&marks, epoch, mark);
        core_buffer_reset(&json);
        cdc_marks_encode(&marks, &json);
        ok = core_buffer_ok(&json) ||
             core_error_set(error, CORE_ERROR_INTERNAL, "out of memory for the marks");
    }
    ok = ok && fanout_bucket_set(bucket, cdc_marks_key, core_buffer_slice(&json), revision,
                                 &revision, error);
    core_buffer_fini(&json);
    return ok;
}
