/* Attempts: keys stand in their lane's line, lanes with a line in a ring, and whoever's turn it is
 * begins when its trigger, its endpoint and the partition have room; see partition_private.h. */
#include "triggers/partition_private.h"

#include <stdio.h>

enum {
    DELAY_MAX_MS = 7 * 24 * 3600 * 1000,
    ENDPOINT_WAITS_MAX_MS = 24 * 3600 * 1000,
    RATE_OVER_MS = 1000,
    HELD_TOLD_MS = 1000, /* what is held back for less is not told */
    LINE_LOOK = 64,
};

static const char busy[] = "as many attempts to the endpoint are under way as may be at once";
static const char shared[] = "the trigger has its share of the attempts that may be under way";
const char partition_lane_limited[] =
    "as many keys of the trigger, or of its project, wait for their next attempt as may "
    "(triggers.parked_keys)";

/* ---- lines ---- */

static void lane_join(triggers_partition *partition, partition_lane *lane) {
    if (partition->active == NULL) {
        partition->active = lane->next_active = lane->previous_active = lane;
        return;
    }
    lane->next_active = partition->active;
    lane->previous_active = partition->active->previous_active;
    lane->previous_active->next_active = lane;
    lane->next_active->previous_active = lane;
}

static void lane_leave(triggers_partition *partition, partition_lane *lane) {
    if (partition->active == lane)
        partition->active = lane->next_active == lane ? NULL : lane->next_active;
    lane->previous_active->next_active = lane->next_active;
    lane->next_active->previous_active = lane->previous_active;
    lane->next_active = lane->previous_active = NULL;
}

void partition_key_line(triggers_partition *partition, partition_key *key) {
    partition_lane *lane = key->lane;
    bool is_free = partition_key_at(key) == KEY_IDLE || partition_key_at(key) == KEY_WAITING;
    if (!is_free || key->place != TRIGGERS_NO_PLACE)
        return;
    if (key->parked == 0 && key->first == NULL) {
        if (partition_key_at(key) == KEY_WAITING)
            partition_key_move(key, KEY_IDLE);
        partition_key_drop(partition, key);
        return;
    }
    if (partition_key_gather(partition, key))
        return;
    partition_key_move(key, KEY_READY);
    key->next = NULL;
    if (lane->first == NULL)
        lane_join(partition, lane);
    *lane->last = key;
    lane->last = &key->next;
}

void partition_line_clean(triggers_partition *partition, partition_lane *lane) {
    partition_key *key = lane->first;
    if (key == NULL)
        return;
    lane->first = NULL;
    lane->last = &lane->first;
    while (key != NULL) {
        partition_key *next = key->next;
        key->next = NULL;
        if (key->first == NULL && key->parked == 0) {
            partition_key_move(key, KEY_IDLE);
        } else {
            *lane->last = key;
            lane->last = &key->next;
        }
        key = next;
    }
    if (lane->first == NULL)
        lane_leave(partition, lane);
}

static partition_key *line_pop(triggers_partition *partition, partition_lane *lane) {
    partition_key *key = lane->first;
    lane->first = key->next;
    if (lane->first == NULL) {
        lane->last = &lane->first;
        lane_leave(partition, lane);
    }
    key->next = NULL;
    return key;
}

/* ---- a head ---- */

void partition_head_let_go(triggers_partition *partition, partition_key *key) {
    core_block_release(key->held);
    key->held = NULL;
    key->held_position = 0;
    key->held_parked_ms = 0;
    key->held_sequence = 0;
    partition->promised -= key->promised;
    key->promised = 0;
    partition_key_unadmit(partition, key);
    partition_key_reserve(partition, key, key->attempts > 0 && !key->is_counted);
    key->lane->attempts--;
    partition->attempts--;
}

static core_slice head_task(const partition_key *key) {
    return core_slice_make(key->held->bytes + key->held_offset,
                           key->held->length - key->held_offset);
}

static void head_bury(triggers_partition *partition, partition_key *key, uint16_t status) {
    const triggers_burial burial = {.ticket = key->hash,
                                    .sequence = key->held_sequence,
                                    .task = head_task(key),
                                    .attempts = key->attempts,
                                    .status = status,
                                    .reason = core_slice_text(key->reason)};
    key->is_dead = true;
    partition_key_move(key, KEY_BURYING);
    partition->io.bury(partition->io.context, &burial);
}

static bool head_is_dead(partition_key *key, const triggers_policy *policy) {
    if (key->is_dead)
        return true;
    if (!policy->is_known)
        (void)snprintf(key->reason, sizeof key->reason, "the trigger's definition is gone");
    else if (key->lane->gone_revision >= policy->revision && key->lane->gone_revision != 0)
        (void)snprintf(key->reason, sizeof key->reason,
                       "the endpoint has answered 410 Gone; change the trigger and replay");
    else
        return false;
    return true;
}

void partition_lane_policy(const triggers_partition *partition, const partition_lane *lane,
                           triggers_policy *policy) {
    *policy = (triggers_policy){0};
    partition->io.policy(partition->io.context, lane->project, lane->trigger, policy);
}

void partition_lane_refresh(triggers_partition *partition, partition_lane *lane) {
    triggers_policy policy;
    lane->not_before_ms = 0;
    partition_lane_policy(partition, lane, &policy);
    if (lane->gone_revision == 0 || (policy.is_known && policy.revision <= lane->gone_revision))
        return;
    lane->gone_revision = 0;
    partition_lane_drop(partition, lane);
}

void partition_head_go(triggers_partition *partition, partition_key *key) {
    triggers_policy policy;
    partition_lane_policy(partition, key->lane, &policy);
    if (head_is_dead(key, &policy)) {
        head_bury(partition, key, 0);
        return;
    }
    const triggers_attempt attempt = {.ticket = key->hash,
                                      .sequence = key->held_sequence,
                                      .number = key->attempts + 1,
                                      .task = key->held,
                                      .offset = key->held_offset};
    key->is_admitted = false;
    partition_key_move(key, KEY_ATTEMPT);
    partition->io.attempt(partition->io.context, &attempt);
}

/* ---- turns ---- */

static void key_begin(triggers_partition *partition, partition_key *key) {
    partition_key_reserve(partition, key, !key->is_counted);
    key->lane->attempts++;
    partition->attempts++;
    if (key->parked > 0) {
        partition_key_move(key, KEY_FETCHING);
        partition->io.fetch(partition->io.context, key->hash, key->position + 1);
        return;
    }
    partition_batch_form(partition, key);
    key->held = core_block_retain(key->first->task);
    key->held_offset = 0;
    key->held_sequence = key->first->sequence;
    partition_head_go(partition, key);
}

/* Its first one is held back. That is told once, if it takes long, of a task that is in the window:
 * a parked one has an outcome already. False, for its caller. */
static bool lane_held(triggers_partition *partition, partition_lane *lane, const char *reason) {
    const partition_key *key = lane->first;
    if (reason == NULL || key->parked > 0 || lane->told == key->first->sequence)
        return false;
    if (lane->tell_ms == 0)
        lane->tell_ms = partition->now_ms + HELD_TOLD_MS;
    if (partition->now_ms < lane->tell_ms)
        return false;
    bool is_timed = lane->not_before_ms > partition->now_ms;
    triggers_entry outcome = {.kind = TRIGGERS_ENTRY_THROTTLED,
                              .sequence = key->first->sequence,
                              .attempts = key->attempts,
                              .next_ms = is_timed ? lane->not_before_ms : 0,
                              .reason = core_slice_text(reason)};
    lane->told = key->first->sequence;
    lane->tell_ms = 0;
    partition_tell(partition, key, core_block_slice(key->first->task), &outcome);
    return false;
}

/* A lane that closes begins nothing of the window, and one whose keys that failed have no more room
 * begins no further key's: whoever may begin comes to the front of the line. */
static bool line_pick(const triggers_partition *partition, partition_lane *lane,
                      const triggers_policy *policy) {
    bool may_fail = partition_lane_has_room(partition, lane);
    for (unsigned i = 0; i < LINE_LOOK; i++) {
        partition_key *key = lane->first;
        bool has_begun = key->parked > 0 || key->attempts > 0 ||
                         (key->first != NULL && key->first->members != NULL);
        if (has_begun || (!lane->is_closing && (may_fail || key->is_counted)) ||
            head_is_dead(key, policy))
            return true;
        if (key->next == NULL)
            break;
        lane->first = key->next;
        key->next = NULL;
        *lane->last = key;
        lane->last = &key->next;
    }
    return false;
}

/* What may still begin is for others too: a lane has no more under way than it leaves free, so that
 * one whose endpoint hangs never has all places. */
static bool lane_has_share(const triggers_partition *partition, const partition_lane *lane) {
    return lane->attempts < partition->limits.max_attempts - partition->attempts;
}

/* False: nobody of the lane can begin now. */
static bool lane_turn(triggers_partition *partition, partition_lane *lane) {
    triggers_policy policy;
    if (lane->not_before_ms > partition->now_ms)
        return lane_held(partition, lane, lane->reason);
    partition_lane_policy(partition, lane, &policy);
    if (!line_pick(partition, lane, &policy)) {
        if (lane->is_closing)
            return false;
        partition->limited_ms = partition->now_ms;
        return lane_held(partition, lane, partition_lane_limited);
    }
    if (!head_is_dead(lane->first, &policy)) {
        if (lane->attempts >= (policy.max_attempts > 0 ? policy.max_attempts : 1))
            return lane_held(partition, lane, busy);
        if (!lane_has_share(partition, lane))
            return lane_held(partition, lane, shared);
        if (policy.batch_size > 1 && partition_batch_waits(partition))
            return false;
        lane->reason = NULL;
        lane->not_before_ms =
            policy.is_paused ? TRIGGERS_NEVER_MS
                             : partition->io.admit(partition->io.context, lane->project,
                                                   lane->trigger, partition->now_ms, &lane->reason);
        if (lane->not_before_ms > partition->now_ms)
            return lane_held(partition, lane, lane->reason);
        lane->first->is_admitted = true;
    }
    lane->tell_ms = 0;
    key_begin(partition, line_pop(partition, lane));
    return true;
}

/* Round after round, one of each lane, until nobody can begin. */
void partition_run(triggers_partition *partition) {
    const partition_lane *refused = NULL; /* the first since one has begun */
    while (partition->is_owner && !partition->is_held && partition->lost == 0 &&
           partition->active != refused && partition->attempts < partition->limits.max_attempts &&
           !partition_is_stalled(partition)) {
        partition_lane *lane = partition->active;
        partition->active = lane->next_active;
        if (lane_turn(partition, lane))
            refused = NULL;
        else if (refused == NULL)
            refused = lane;
    }
}

/* ---- ends ---- */

uint32_t partition_lane_rate(partition_lane *lane, int64_t now_ms) {
    int64_t past_ms = now_ms - lane->counted_ms;
    if (past_ms >= RATE_OVER_MS || past_ms < 0) {
        lane->per_second =
            past_ms > 0 ? (uint32_t)((int64_t)lane->delivered * CORE_MS_PER_S / past_ms) : 0;
        lane->delivered = 0;
        lane->counted_ms = now_ms;
    }
    return lane->per_second > lane->delivered ? lane->per_second : lane->delivered;
}

static int64_t jittered(triggers_partition *partition, int64_t delay_ms, uint32_t percent) {
    uint64_t *random = &partition->random;
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    int64_t spread_ms = delay_ms / 100 * (percent > 100 ? 100 : percent);
    if (spread_ms <= 0)
        return delay_ms;
    return delay_ms - spread_ms + (int64_t)(*random % (uint64_t)(2 * spread_ms + 1));
}

/* When the head is tried again. False: not any more. Who has waited behind others for as long as
 * all retries take has had his time; else a key that fails would take days for each of its tasks.
 */
static bool head_next_ms(triggers_partition *partition, const partition_key *key,
                         const triggers_end *end, int64_t *next_ms) {
    triggers_policy policy;
    int64_t all_ms = 0;
    partition_lane_policy(partition, key->lane, &policy);
    for (size_t i = 0; i < policy.retry.count; i++)
        all_ms += policy.retry.delays_ms[i];
    if (key->attempts > policy.retry.count || (key->gave_up && key->held_parked_ms > 0 &&
                                               partition->now_ms - key->held_parked_ms > all_ms))
        return false;
    int64_t delay_ms = policy.retry.delays_ms[key->attempts - 1];
    delay_ms = jittered(partition, delay_ms < DELAY_MAX_MS ? delay_ms : DELAY_MAX_MS,
                        policy.retry.jitter_percent);
    int64_t asked_ms =
        end->retry_after_ms < ENDPOINT_WAITS_MAX_MS ? end->retry_after_ms : ENDPOINT_WAITS_MAX_MS;
    *next_ms = partition->now_ms + (delay_ms > asked_ms ? delay_ms : asked_ms);
    return true;
}

static triggers_entry outcome_of(triggers_entry_kind kind, const triggers_end *end) {
    return (triggers_entry){
        .kind = kind, .status = end->status, .took_ms = end->took_ms, .reason = end->reason};
}

static void head_failed(triggers_partition *partition, partition_key *key,
                        const triggers_end *end) {
    triggers_entry outcome = outcome_of(TRIGGERS_ENTRY_FAILED, end);
    bool again = head_next_ms(partition, key, end, &outcome.next_ms);
    partition_tell(partition, key, head_task(key), &outcome);
    if (!again) {
        key->gave_up = true;
        (void)snprintf(key->reason, sizeof key->reason, "given up after %u attempt%s: %.*s",
                       (unsigned)key->attempts, key->attempts == 1 ? "" : "s",
                       CORE_SLICE_ARGS(end->reason));
        head_bury(partition, key, end->status);
        return;
    }
    partition_head_let_go(partition, key);
    partition_wait_begin(partition, key, outcome.next_ms);
    partition_key_park(partition, key);
}

static void head_gone(triggers_partition *partition, partition_key *key, const triggers_end *end) {
    triggers_policy policy;
    triggers_entry outcome = outcome_of(TRIGGERS_ENTRY_GONE, end);
    partition_lane_policy(partition, key->lane, &policy);
    key->lane->gone_revision = policy.revision > 0 ? policy.revision : 1;
    outcome.position = key->lane->gone_revision;
    partition_tell(partition, key, head_task(key), &outcome);
    (void)snprintf(key->reason, sizeof key->reason,
                   "the endpoint has answered 410 Gone; change the trigger and replay");
    head_bury(partition, key, end->status);
}

/* Nothing was attempted: neither is that told nor does it count. A batch stays as it was formed,
 * and since it begins again also where there is no room, it keeps the place that it has. */
static void head_withdrawn(triggers_partition *partition, partition_key *key) {
    bool was_reserved = key->is_reserved;
    partition_head_let_go(partition, key);
    if (key->first != NULL && key->first->members != NULL)
        partition_key_reserve(partition, key, was_reserved);
    partition_key_move(key, KEY_IDLE);
    partition_key_line(partition, key);
}

void triggers_partition_attempted(triggers_partition *partition, uint64_t ticket,
                                  const triggers_end *end, int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition_key *key = partition_key_find(partition, ticket);
    assert(key != NULL && partition_key_at(key) == KEY_ATTEMPT);
    triggers_entry outcome = outcome_of(TRIGGERS_ENTRY_DELIVERED, end);
    partition->now_ms = now_ms;
    key->attempts += !end->was_not_made && end->kind != TRIGGERS_END_WITHDRAWN;
    switch (end->kind) {
    case TRIGGERS_END_DELIVERED:
        partition_lane_rate(key->lane, now_ms);
        key->lane->delivered += key->parked == 0 ? 1 + (uint32_t)key->first->member_count : 1;
        key->gave_up = false;
        key->is_parking = false;
        partition_tell(partition, key, head_task(key), &outcome);
        partition_head_done(partition, key);
        break;
    case TRIGGERS_END_FAILED:
        head_failed(partition, key, end);
        break;
    case TRIGGERS_END_GONE:
        head_gone(partition, key, end);
        break;
    case TRIGGERS_END_REFUSED:
        (void)snprintf(key->reason, sizeof key->reason, "%.*s", CORE_SLICE_ARGS(end->reason));
        head_bury(partition, key, end->status);
        break;
    case TRIGGERS_END_WITHDRAWN:
        head_withdrawn(partition, key);
        break;
    }
    partition_run(partition);
    partition_append(partition);
}
