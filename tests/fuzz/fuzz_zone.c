/* tzfiles: what is taken has a span for every time, and the spans follow each other. */
#include "triggers/zone.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void zone_walk(const triggers_zone *zone) {
    int64_t at_s = INT64_C(-62135596800);
    for (unsigned i = 0; i < 64 && at_s < INT64_C(253402300799); i++) {
        triggers_zone_span span = triggers_zone_at(zone, at_s);
        if (span.start_s > at_s || span.end_s <= at_s)
            abort();
        at_s = span.end_s;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    core_error error;
    triggers_zone_rule rule;
    triggers_zone *zone = triggers_zone_read(core_slice_make(data, size), &error);
    if (zone != NULL)
        zone_walk(zone);
    triggers_zone_free(zone);
    if (triggers_zone_rule_read(core_slice_make(data, size), &rule, &error))
        for (int64_t at_s = 0; at_s < INT64_C(300000000); at_s += 10000000) {
            triggers_zone_span span = triggers_zone_rule_span(&rule, at_s);
            if (span.start_s > at_s || span.end_s <= at_s)
                abort();
        }
    return 0;
}
