/* See newborn.h. Two that find no stream both make it, and the second is answered at once; so one
 * that is younger than our question may be ours or not. */
#include "fanout/newborn.h"

#include <time.h>

enum { OTHERS_MS = 250, PERHAPS_OURS_MS = 40, NS_PER_US = 1000 };

/* `asked_us`: the wall clock before our first request. */
static void newborn_wait(const jsStreamInfo *found, int64_t asked_us) {
    const core_clock *clock = core_clock_system();
    int64_t made_us = found->Created / NS_PER_US;
    int64_t until_us = (made_us < asked_us ? OTHERS_MS : PERHAPS_OURS_MS) * CORE_US_PER_MS;
    int64_t age_us = made_us > 0 ? core_clock_wall_us(clock) - made_us : 0; /* else: not begun */
    int64_t left_us = age_us < 0 ? until_us : until_us - age_us;
    if (left_us <= 0)
        return;
    const struct timespec left = {.tv_nsec = left_us * NS_PER_US};
    (void)nanosleep(&left, NULL);
}

natsStatus fanout_newborn_ensure(fanout_connection *connection, jsStreamConfig *config,
                                 jsStreamInfo **found, bool *is_made, jsErrCode *code) {
    jsCtx *jetstream = fanout_jetstream(connection);
    int64_t asked_us = core_clock_wall_us(core_clock_system());
    bool made = false;
    natsStatus status = js_GetStreamInfo(found, jetstream, config->Name, NULL, code);
    if (status == NATS_NOT_FOUND) {
        status = js_AddStream(found, jetstream, config, NULL, code);
        made = status == NATS_OK;
        /* Perhaps with the same stream, by another. */
        if (!made && *code == JSStreamSubjectOverlapErr &&
            js_GetStreamInfo(found, jetstream, config->Name, NULL, NULL) == NATS_OK)
            status = NATS_OK;
    }
    if (status == NATS_OK)
        newborn_wait(*found, asked_us);
    if (is_made != NULL)
        *is_made = made;
    return status;
}
