/* See spread.h. */
#include "triggers/spread.h"

uint32_t triggers_spread_width(const triggers_definition *definition) {
    /* A queue of jobs is one partition's (job.h), and other actions have no places of their own. */
    bool is_narrow = definition->action == TRIGGERS_DO_WEBHOOK &&
                     definition->on != TRIGGERS_ON_QUEUE &&
                     definition->webhook.concurrency < TRIGGERS_PARTITIONS;
    return is_narrow ? definition->webhook.concurrency : 0;
}

/* The first depends on the name, so that not all narrow ones are one partition's. Tasks stand where
 * it says: it must stay as it is. */
triggers_spread triggers_spread_of(const triggers_definition *definition) {
    uint32_t width = definition->partitions;
    uint64_t hash = core_slice_hash_more(core_slice_hash(definition->project),
                                         core_slice_make("", 1)); /* the NUL between them */
    hash = core_slice_hash_more(hash, definition->name);
    bool is_whole = width == 0 || width > TRIGGERS_PARTITIONS;
    return (triggers_spread){.first = (uint8_t)((hash ^ hash >> 32) % TRIGGERS_PARTITIONS),
                             .count = (uint8_t)(is_whole ? TRIGGERS_PARTITIONS : width)};
}

static unsigned partition_at(const triggers_spread *spread, unsigned i) {
    return (spread->first + i) % TRIGGERS_PARTITIONS;
}

/* By what the partition is not read from, so the answer stands for itself. */
uint64_t triggers_spread_hash(const triggers_spread *spread, uint64_t key_hash) {
    if (spread->count == TRIGGERS_PARTITIONS || key_hash == 0)
        return key_hash;
    uint64_t rest = key_hash / TRIGGERS_PARTITIONS;
    unsigned partition = partition_at(spread, (unsigned)(rest % spread->count));
    uint64_t hash = rest * TRIGGERS_PARTITIONS + partition;
    return hash != 0 ? hash : UINT64_C(1) << 63; /* 0 is no hash; of the same partition */
}

uint64_t triggers_spread_key(const triggers_definition *definition, core_slice key) {
    uint64_t hash = triggers_key_hash(definition->project, definition->name, key);
    if (definition->partitions == 0) /* most: nothing is to be found out about it */
        return hash;
    const triggers_spread spread = triggers_spread_of(definition);
    return triggers_spread_hash(&spread, hash);
}

/* The places that are over go to the first ones. */
static uint32_t places_at(const triggers_spread *spread, uint32_t places, unsigned i) {
    return places / spread->count + (i < places % spread->count ? 1 : 0);
}

static uint32_t bits_of(const triggers_spread *spread) {
    uint32_t bits = 0;
    for (unsigned i = 0; i < spread->count; i++)
        bits |= UINT32_C(1) << partition_at(spread, i);
    return bits;
}

uint32_t triggers_spread_held(const triggers_definition *definition, uint32_t held) {
    if (definition->partitions != 0) {
        const triggers_spread spread = triggers_spread_of(definition);
        held &= bits_of(&spread);
    }
    return (uint32_t)__builtin_popcount(held);
}

net_throttle_spec triggers_spread_share(const triggers_spread *spread,
                                        const net_throttle_spec *whole, uint32_t held) {
    net_throttle_spec share = {.interval_ns = whole->interval_ns};
    int64_t parts = 0;
    for (unsigned i = 0; i < spread->count; i++) {
        if ((held >> partition_at(spread, i) & 1) == 0)
            continue;
        parts++;
        share.concurrency += places_at(spread, whole->concurrency, i);
    }
    /* None are held, but for what came before the trigger was made anew, say: that goes on. */
    int64_t all = parts > 0 ? spread->count : TRIGGERS_PARTITIONS;
    parts = parts > 0 ? parts : 1;
    share.interval_ns = (whole->interval_ns * all + parts - 1) / parts; /* never faster */
    if (whole->concurrency > 0 && share.concurrency == 0)
        share.concurrency = 1;
    return share;
}
