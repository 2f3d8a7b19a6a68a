/* Where a stream that nobody may delete from has lost messages in its middle; see fanout.h.
 *
 * Happy path: there is no hole and one question says so. Else the first is found by halving: the
 * prefix up to a sequence is whole when it counts as many messages as sequences, and a consumer
 * that would begin behind it knows how many are left. The server's own list of deleted messages is
 * no help: of a lost block, 2.9 lists nothing. It also counts only where a consumer has a filter,
 * and now and then one too few; so what was found is looked at itself, and looked for again when a
 * message is there. A stream that is written to or ages meanwhile is looked at again. */
#include "fanout/connection.h"

enum { ATTEMPTS = 16 };

typedef struct {
    fanout_connection *connection;
    const fanout_stream_spec *spec;
    uint64_t last;
} prober;

/* Messages stored at or behind `sequence`. */
static bool pending_ask(const prober *probe, uint64_t sequence, uint64_t *pending,
                        core_error *error) {
    jsCtx *jetstream = fanout_jetstream(probe->connection);
    jsConsumerInfo *info = NULL;
    jsErrCode code = 0;
    jsConsumerConfig config;
    *pending = 0;
    if (sequence > probe->last)
        return true;
    (void)jsConsumerConfig_Init(&config);
    config.DeliverPolicy = js_DeliverByStartSequence;
    config.OptStartSeq = sequence;
    config.AckPolicy = js_AckExplicit;
    config.FilterSubject = probe->spec->subjects;
    natsStatus status = js_AddConsumer(&info, jetstream, probe->spec->name, &config, NULL, &code);
    if (status != NATS_OK)
        return fanout_status_error(error, status, (int)code, "look for holes in stream",
                                   probe->spec->name);
    *pending = info->NumPending;
    /* If that fails it ends by itself. */
    (void)js_DeleteConsumer(jetstream, probe->spec->name, info->Name, NULL, NULL);
    jsConsumerInfo_Destroy(info);
    return true;
}

static bool still_the_same(const prober *probe, const fanout_stream_info *info, core_error *error) {
    fanout_stream_info now;
    if (!fanout_stream_inspect(probe->connection, probe->spec->name, &now, error))
        return false;
    return (now.first_sequence == info->first_sequence &&
            now.last_sequence == info->last_sequence) ||
           core_error_set(error, CORE_ERROR_TRANSIENT,
                          "stream %s changed while holes were looked for; looking again",
                          probe->spec->name);
}

/* By the server's counts: the first missing behind `base`; 0: none. */
static bool hole_count(const prober *probe, uint64_t base, uint64_t *missing, core_error *error) {
    uint64_t whole = base;
    uint64_t broken = probe->last;
    uint64_t total = 0;
    *missing = 0;
    if (!pending_ask(probe, base + 1, &total, error))
        return false;
    if (total >= broken - base)
        return true;
    while (broken - whole > 1) {
        uint64_t middle = whole + (broken - whole) / 2;
        uint64_t left = 0;
        if (!pending_ask(probe, middle + 1, &left, error))
            return false;
        if (total - left == middle - base)
            whole = middle;
        else
            broken = middle;
    }
    *missing = broken;
    return true;
}

static bool message_look(const prober *probe, uint64_t sequence, bool *there, core_error *error) {
    natsMsg *message = NULL;
    jsErrCode code = 0;
    natsStatus status = js_GetMsg(&message, fanout_jetstream(probe->connection), probe->spec->name,
                                  sequence, NULL, &code);
    *there = status == NATS_OK;
    natsMsg_Destroy(message);
    return *there || code == JSNoMessageFoundErr || status == NATS_NOT_FOUND ||
           fanout_status_error(error, status, (int)code, "look for holes in stream",
                               probe->spec->name);
}

/* It is missing, and what is before it is not. */
static bool hole_verify(const prober *probe, uint64_t base, uint64_t missing, bool *holds,
                        core_error *error) {
    bool there = false;
    bool before = true;
    if (!message_look(probe, missing, &there, error) ||
        (missing - 1 > base && !message_look(probe, missing - 1, &before, error)))
        return false;
    *holds = !there && before;
    return true;
}

bool fanout_stream_hole(fanout_connection *connection, const fanout_stream_spec *spec,
                        const fanout_stream_info *info, uint64_t after, uint64_t *missing,
                        core_error *error) {
    prober probe = {connection, spec, info->last_sequence};
    uint64_t base = after < info->first_sequence ? info->first_sequence - 1 : after;
    *missing = 0;
    if (info->deleted == 0 || base >= info->last_sequence)
        return true;
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        bool holds = false;
        if (!hole_count(&probe, base, missing, error))
            return false;
        if (*missing == 0)
            return true;
        if (!hole_verify(&probe, base, *missing, &holds, error))
            return false;
        if (holds)
            return still_the_same(&probe, info, error);
    }
    return core_error_set(error, CORE_ERROR_TRANSIENT,
                          "nats-server counts the messages of stream %s differently each time; "
                          "looking for holes again",
                          spec->name);
}
