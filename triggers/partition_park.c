/* Parking, and the chain of parked tasks; see partition.h.
 *
 * Copying. One copy of a key is under way at a time, each names the task parked before it. A copy
 * counts from its outcome in the log on; one that never gets there (its owner was stale) stands in
 * the stream and is passed over, since it does not follow what the chain did last.
 *
 * A key parks what is in the window from a failure on, until something of its chain is delivered:
 * then what has come and comes stays in the window, behind the chain, and the key is live again
 * when the chain ends. Else a key would never get out of the stream of parked tasks, which is much
 * slower, as long as tasks come faster than that. Should the window fill meanwhile, it is relieved.
 *
 * Fetching. The chain's first task is known by its sequence, each later one by the one before it. A
 * chain that has tasks left and no copy of them has been lost by the broker, which is told. */
#include "triggers/partition_private.h"

#include <stdio.h>

enum {
    AGAIN_MS = 500,
    BURY_AGAIN_MS = 1000,
    CLEAR_EVERY = 128, /* copies that are done with */
    RELIEVE_LOOK = 1024,
    RELIEVE_AGAIN_MS = 5000, /* after there was no room */
    RELIEVE_EVERY_MS = 200,
    RELIEVE_FULL_MS = 20, /* the same, where the window is full */
    WAIT_IN_LINE_MS = 5000,
    WAIT_LEAST_MS = 1000,
    WAIT_MOST_MS = 10 * 1000,
};

/* ---- copying ---- */

bool partition_may_park(const triggers_partition *partition, const partition_key *key) {
    return key->is_counted || partition_lane_has_room(partition, key->lane);
}

uint64_t partition_copy_send(triggers_partition *partition, uint64_t hash,
                             const partition_item *item, triggers_parked *parked) {
    uint64_t number = ++partition->copies;
    parked->sequence = item->sequence;
    parked->parked_ms = partition->now_ms;
    parked->task = core_block_slice(item->task);
    core_buffer_reset(&partition->record_copy);
    triggers_parked_write(parked, &partition->record_copy);
    partition->io.park(partition->io.context, hash, number,
                       core_buffer_slice(&partition->record_copy));
    return number;
}

static void park_send(triggers_partition *partition, partition_key *key) {
    triggers_parked parked = {.previous = key->last_parked};
    key->parking = key->first->sequence;
    (void)partition_copy_send(partition, key->hash, key->first, &parked);
}

void partition_key_park(triggers_partition *partition, partition_key *key) {
    key->is_parking = true;
    partition_key_count(partition, key);
    if (key->first != NULL && key->parking == 0 && !key->is_again)
        park_send(partition, key);
}

void partition_key_park_slow(triggers_partition *partition, partition_key *key) {
    if (key->place == TRIGGERS_NO_PLACE)
        key->next_ms = partition->now_ms;
    partition_key_park(partition, key);
}

static void park_later(triggers_partition *partition, partition_key *key) {
    if (partition->again == NULL)
        partition->again_ms = partition->now_ms + AGAIN_MS;
    key->is_again = true;
    key->again = partition->again;
    partition->again = key;
}

void partition_park_again(triggers_partition *partition) {
    partition_key *key = partition->again;
    partition->again = NULL;
    while (key != NULL) {
        partition_key *next = key->again;
        key->again = NULL;
        key->is_again = false;
        if (key->is_parking)
            partition_key_park(partition, key);
        partition_key_line(partition, key);
        key = next;
    }
}

static void item_pop(partition_key *key) {
    key->first = key->first->next;
    key->waiting--;
    if (key->first == NULL)
        key->last = &key->first;
}

/* The window's first task of the key has its copy, at `position`. */
static void item_parked(triggers_partition *partition, partition_key *key, uint64_t position) {
    partition_item *item = key->first;
    bool is_held = key->held != NULL && key->held_sequence == item->sequence;
    if (key->parked == 0) {
        key->head = item->sequence;
        key->chain = 0;
        key->position = position - 1;
    }
    if (is_held) {
        key->held_position = position;
        key->held_parked_ms = partition->now_ms;
        key->promised = item->promised; /* its end is still to be told */
        item->promised = 0;
    }
    triggers_entry outcome = {.kind = TRIGGERS_ENTRY_PARKED,
                              .sequence = item->sequence,
                              .attempts = key->attempts,
                              .next_ms = key->next_ms,
                              .position = position};
    key->parked++;
    partition_parked_more(partition, key, 1);
    key->last_parked = item->sequence;
    partition->holds_up = false;
    partition_tell(partition, key, core_block_slice(item->task), &outcome);
    item_pop(key);
    partition_item_done(partition, item);
}

/* There is no room: the key's oldest task is given up, so that there is. That is the chain's head,
 * or without a chain the one in the window, if it has failed. Never one behind others: then two
 * copies could name the same task as the one before them, and one of them be a stale owner's. But
 * where the lane has nothing parked, others have taken the room: as long as the window has some
 * left, its task waits there. */
static void item_refused(triggers_partition *partition, partition_key *key) {
    const partition_lane *lane = key->lane;
    bool is_others = lane->parked_tasks == 0 && lane->hold.held == 0;
    partition->holds_up = true;
    partition->refused_ms = partition->now_ms;
    if (is_others && key->attempts > 0 && !partition_is_full(partition)) {
        park_later(partition, key);
        return;
    }
    if (key->parked > 0) {
        park_later(partition, key);
    } else {
        key->is_parking = false;
        partition_key_count(partition, key);
    }
    if (partition_key_at(key) != KEY_WAITING || key->attempts == 0)
        return;
    key->is_dead = true;
    (void)snprintf(key->reason, sizeof key->reason,
                   "no room to let it and its successors wait (triggers.parked_bytes)");
    partition_wait_end(partition, key);
    partition_key_line(partition, key);
}

/* The task was done while its copy was under way, and nothing else is parked: the key is live. */
static void copy_is_idle(triggers_partition *partition, partition_key *key, uint64_t position) {
    key->is_parking = false;
    if (position > 0)
        partition_clear_later(partition, key->hash, position);
}

static void key_copied(triggers_partition *partition, uint64_t ticket, uint64_t position,
                       core_error_code code) {
    partition_key *key = partition_key_find(partition, ticket);
    assert(key != NULL && key->parking != 0);
    bool is_there = key->first != NULL && key->first->sequence == key->parking;
    key->parking = 0;
    if (is_there && code == CORE_ERROR_NONE)
        item_parked(partition, key, position);
    else if (is_there && (code == CORE_ERROR_FULL || code == CORE_ERROR_LIMIT))
        item_refused(partition, key);
    else if (is_there)
        park_later(partition, key);
    else if (key->parked == 0)
        copy_is_idle(partition, key, code == CORE_ERROR_NONE ? position : 0);
    if (key->is_parking)
        partition_key_park(partition, key);
    partition_key_count(partition, key);
    partition_key_line(partition, key);
}

void triggers_partition_parked(triggers_partition *partition, uint64_t ticket, uint64_t number,
                               uint64_t position, core_error_code code, int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition_lane *lane = partition_hold_find(partition, ticket);
    partition->now_ms = now_ms;
    if (lane != NULL)
        partition_copies_answered(partition, lane, number, position, code);
    else
        key_copied(partition, ticket, position, code);
    partition_hold_step(partition);
    partition_run(partition);
    partition_append(partition);
}

/* ---- what waits too long ---- */

static int64_t waited_ms(const triggers_partition *partition, const partition_item *item) {
    int64_t since_ms = item->fed_ms > partition->rested_ms ? item->fed_ms : partition->rested_ms;
    return partition->now_ms - since_ms;
}

/* The window is full: at its lane's pace it would not be done within the longest time, or that is
 * over. */
static bool is_in_the_way(const triggers_partition *partition, const partition_item *item,
                          int64_t waits_ms) {
    partition_lane *lane = item->key->lane;
    return partition_is_full(partition) && waits_ms > WAIT_LEAST_MS &&
           (int64_t)lane->tasks * CORE_MS_PER_S >
               partition_lane_rate(lane, partition->now_ms) * WAIT_MOST_MS;
}

/* What may have been spent on gathering a batch counts for nothing. */
static bool waits_too_long(const triggers_partition *partition, const partition_item *item,
                           int64_t waits_ms, int64_t most_ms) {
    triggers_policy policy;
    if (waits_ms <= most_ms)
        return false;
    partition_lane_policy(partition, item->key->lane, &policy);
    return policy.batch_size <= 1 || waits_ms > most_ms + policy.batch_ms;
}

/* Whoever is in line waits for the lane; else for its key. */
static void item_relieve(triggers_partition *partition, const partition_item *item) {
    partition_key *key = item->key;
    int64_t waits_ms = waited_ms(partition, item);
    bool waits_in_line = partition_key_at(key) == KEY_READY;
    int64_t most_ms = waits_in_line ? WAIT_IN_LINE_MS : WAIT_MOST_MS;
    if (key->is_gathering)
        return;
    if (!waits_too_long(partition, item, waits_ms, most_ms) &&
        !is_in_the_way(partition, item, waits_ms))
        return;
    if (waits_in_line)
        partition_hold_want(partition, key->lane);
    else if (partition_may_park(partition, key))
        partition_key_park_slow(partition, key);
    else
        partition->limited_ms = partition->now_ms;
}

static void window_relieve(triggers_partition *partition) {
    size_t look = partition->window_count < RELIEVE_LOOK ? partition->window_count : RELIEVE_LOOK;
    for (size_t i = 0; i < look; i++) {
        const partition_item *item =
            partition->window[(partition->window_first + i) % partition->window_capacity];
        if (item->task != NULL && waited_ms(partition, item) <= WAIT_LEAST_MS)
            return; /* those behind it came later */
        if (item->task != NULL && !item->is_behind && !item->key->is_parking && !item->key->is_dead)
            item_relieve(partition, item);
    }
}

void partition_relieve(triggers_partition *partition, int64_t *next_ms) {
    bool has_refused =
        partition->holds_up && partition->now_ms - partition->refused_ms < RELIEVE_AGAIN_MS;
    bool is_due = partition->now_ms - partition->looked_ms >=
                  (partition_is_full(partition) ? RELIEVE_FULL_MS : RELIEVE_EVERY_MS);
    if (!partition->is_owner || partition->is_held || partition_is_stalled(partition)) {
        partition->rested_ms = partition->now_ms; /* nobody could begin */
        return;
    }
    if (is_due && !has_refused) {
        partition->looked_ms = partition->now_ms;
        window_relieve(partition);
    }
    if (partition->tasks == 0)
        return;
    int64_t old_ms = partition->window[partition->window_first]->fed_ms + WAIT_IN_LINE_MS + 1;
    int64_t look_ms = partition->now_ms + RELIEVE_EVERY_MS;
    int64_t wanted_ms = old_ms > look_ms ? old_ms : look_ms;
    if (wanted_ms < *next_ms)
        *next_ms = wanted_ms;
}

/* ---- the chain ---- */

void partition_chain_end(triggers_partition *partition, partition_key *key) {
    if (key->uncleared > 0)
        partition_clear_later(partition, key->hash, key->position);
    key->uncleared = 0;
    key->chain = key->head = key->last_parked = 0;
}

static void chain_step(triggers_partition *partition, partition_key *key) {
    key->chain = key->held_sequence;
    key->head = 0;
    if (key->held_position > key->position)
        key->position = key->held_position;
    key->parked--;
    partition_parked_more(partition, key, -1);
    if (++key->uncleared >= (partition->holds_up ? 1 : CLEAR_EVERY)) {
        partition_clear_later(partition, key->hash, key->position);
        key->uncleared = 0;
    }
    if (key->parked == 0)
        partition_chain_end(partition, key);
}

void partition_head_done(triggers_partition *partition, partition_key *key) {
    if (key->parked > 0) {
        chain_step(partition, key);
    } else {
        partition_item *item = key->first;
        assert(item != NULL && item->sequence == key->held_sequence);
        item_pop(key);
        partition_item_done(partition, item);
    }
    if (key->parked == 0 && key->parking == 0)
        key->is_parking = false;
    partition_key_count(partition, key);
    key->attempts = 0;
    key->next_ms = 0;
    key->is_dead = false;
    partition_head_let_go(partition, key);
    partition_key_move(key, KEY_IDLE);
    partition_key_line(partition, key);
}

/* ---- fetching ---- */

static void chain_lost(triggers_partition *partition, partition_key *key) {
    triggers_entry outcome = {
        .kind = TRIGGERS_ENTRY_LOST,
        .position = key->parked,
        .reason = core_slice_text("the stream of parked tasks does not hold them any more"),
    };
    partition_tell(partition, key, (core_slice){0}, &outcome);
    partition->lost++;
    partition_parked_more(partition, key, -(int64_t)key->parked);
    key->parked = 0;
    key->attempts = 0;
    key->is_dead = false;
    partition_chain_end(partition, key);
    if (key->parking == 0)
        key->is_parking = false;
    partition_key_count(partition, key);
    partition_head_let_go(partition, key);
    partition_key_move(key, KEY_IDLE);
    partition_key_line(partition, key);
}

/* True when the copy is the chain's next one; it is held then. */
static bool chain_takes(partition_key *key, core_block *block, uint64_t position) {
    triggers_parked parked;
    core_error error;
    if (!triggers_parked_read(core_block_slice(block), &parked, &error))
        return false;
    bool follows = key->head != 0 ? parked.sequence == key->head : parked.previous == key->chain;
    if (!follows)
        return false;
    key->held = core_block_retain(block);
    key->held_offset = block->length - parked.task.length;
    key->held_sequence = parked.sequence;
    key->held_position = position;
    key->held_parked_ms = parked.parked_ms;
    key->head = parked.sequence;
    return true;
}

static void key_fetched(triggers_partition *partition, uint64_t ticket, core_block *parked,
                        uint64_t position, core_error_code code) {
    partition_key *key = partition_key_find(partition, ticket);
    assert(key != NULL && partition_key_at(key) == KEY_FETCHING && key->held == NULL);
    if (code == CORE_ERROR_NONE && chain_takes(key, parked, position)) {
        if (partition_batch_promise(partition, key)) {
            partition_head_go(partition, key);
        } else {
            partition_head_let_go(partition, key);
            partition_wait_begin(partition, key, partition->now_ms + AGAIN_MS);
        }
    } else if (code == CORE_ERROR_NONE) {
        key->position = position;
        partition->io.fetch(partition->io.context, key->hash, position + 1);
    } else if (code == CORE_ERROR_INPUT) {
        chain_lost(partition, key);
    } else {
        partition_head_let_go(partition, key);
        partition_wait_begin(partition, key, partition->now_ms + AGAIN_MS);
    }
}

void triggers_partition_fetched(triggers_partition *partition, uint64_t ticket, core_block *parked,
                                uint64_t position, core_error_code code, int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition_lane *lane = partition_hold_find(partition, ticket);
    partition->now_ms = now_ms;
    if (lane != NULL)
        partition_recall_fetched(partition, lane, parked, position, code);
    else
        key_fetched(partition, ticket, parked, position, code);
    partition_run(partition);
    partition_append(partition);
}

/* ---- dead letters ---- */

void triggers_partition_buried(triggers_partition *partition, uint64_t ticket, core_error_code code,
                               int64_t now_ms) {
    CORE_MAGIC_CHECK(partition, TRIGGERS_PARTITION_MAGIC);
    partition_key *key = partition_key_find(partition, ticket);
    assert(key != NULL && partition_key_at(key) == KEY_BURYING);
    partition->now_ms = now_ms;
    partition->holds_up = code != CORE_ERROR_NONE;
    if (code != CORE_ERROR_NONE) {
        partition_head_let_go(partition, key);
        partition_wait_begin(partition, key, now_ms + BURY_AGAIN_MS);
    } else {
        triggers_entry outcome = {.kind = TRIGGERS_ENTRY_DEAD,
                                  .reason = core_slice_text(key->reason)};
        core_slice task = core_slice_make(key->held->bytes + key->held_offset,
                                          key->held->length - key->held_offset);
        partition_tell(partition, key, task, &outcome);
        partition_head_done(partition, key);
    }
    partition_run(partition);
    partition_append(partition);
}
