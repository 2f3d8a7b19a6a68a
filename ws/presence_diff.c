/* What clients are told: diffs and states in the form of Phoenix's presence; see presence.h.
 *
 *   {"KEY":{"metas":[{"phx_ref":"…","phx_ref_prev":"…",…payload…},…]},…}
 *
 * A client puts joins in before it takes leaves out, by phx_ref, so a payload that was replaced is
 * a join of the new one and a leave of the old in one diff, and its key never goes. Where a diff
 * grows past its bound it is told in several: all joins first. */
#include "ws/presence_private.h"

enum { REF_BYTES = 12, REF_TEXT = 16, TAG_SHIFT = 40, META_BYTES = 128 };

/* ---- one side ---- */

bool presence_side_init(presence_side *side, size_t max_bytes) {
    /* Escapes make a key up to six times as long. Allocated at once: a diff cannot fail. */
    size_t size = max_bytes + META_BYTES + 6 * (size_t)WS_PRESENCE_KEY_MAX;
    core_buffer_init(&side->out, size);
    return core_buffer_reserve(&side->out, size) != NULL;
}

static void side_open(presence_side *side) {
    core_buffer_reset(&side->out);
    side->writer = core_json_writer_make(&side->out);
    side->key = NULL;
    side->metas = 0;
    core_json_object_open(&side->writer);
}

static void side_key_close(presence_side *side) {
    if (side->key == NULL)
        return;
    core_json_array_close(&side->writer);
    core_json_object_close(&side->writer);
    side->key = NULL;
}

static void side_key(presence_side *side, const presence_key *key) {
    if (side->key == key)
        return;
    side_key_close(side);
    core_json_key(&side->writer, presence_key_name(key));
    core_json_object_open(&side->writer);
    core_json_key_text(&side->writer, "metas");
    core_json_array_open(&side->writer);
    side->key = key;
}

static core_slice side_close(presence_side *side) {
    side_key_close(side);
    core_json_object_close(&side->writer);
    assert(core_buffer_ok(&side->out)); /* its maximum has room for one meta past the bound */
    return core_buffer_slice(&side->out);
}

/* Tag and ref, each 48 bits, in base64: unique over all nodes and boots. */
static void meta_ref(core_json_writer *writer, const char *name, uint64_t tag, uint64_t ref) {
    uint8_t bytes[REF_BYTES], text[REF_TEXT];
    core_buffer out = core_buffer_over(text, sizeof text);
    for (int i = 0; i < 6; i++) {
        bytes[i] = (uint8_t)(tag >> (TAG_SHIFT - 8 * i));
        bytes[6 + i] = (uint8_t)(ref >> (TAG_SHIFT - 8 * i));
    }
    core_base64_encode(core_slice_make(bytes, sizeof bytes), &out);
    core_json_key_text(writer, name);
    core_json_string(writer, core_buffer_slice(&out));
}

static void side_meta(presence_side *side, const presence_entry *entry) {
    core_slice payload = presence_entry_payload(entry);
    side_key(side, entry->key);
    core_json_object_open(&side->writer);
    meta_ref(&side->writer, "phx_ref", entry->tag, entry->ref);
    if (entry->previous != 0)
        meta_ref(&side->writer, "phx_ref_prev", entry->tag, entry->previous);
    if (payload.length > 2) /* without its brackets: members of this object */
        core_json_raw(&side->writer, core_slice_make(payload.data + 1, payload.length - 2));
    core_json_object_close(&side->writer);
    side->metas++;
}

/* ---- diffs ---- */

static void diff_tell(ws_presence *presence, const presence_topic *topic) {
    bool is_empty = presence->joins.metas + presence->leaves.metas == 0;
    core_slice joins = side_close(&presence->joins), leaves = side_close(&presence->leaves);
    if (!is_empty)
        presence->events.diff(presence->events.context, presence_topic_room(topic), joins, leaves);
    side_open(&presence->joins);
    side_open(&presence->leaves);
}

static void side_fill(ws_presence *presence, const presence_topic *topic, presence_side *side,
                      bool joins) {
    for (const presence_key *key = topic->touched; key != NULL; key = key->touched_next)
        for (const presence_entry *entry = key->touched; entry != NULL;
             entry = entry->touched_next) {
            if (entry->present == entry->told || entry->present != joins)
                continue;
            side_meta(side, entry);
            if (side->out.length > presence->limits.max_diff_bytes)
                diff_tell(presence, topic);
        }
}

void presence_diff_tell(ws_presence *presence) {
    for (presence_topic *topic; (topic = presence->book.touched) != NULL;) {
        side_open(&presence->joins);
        side_open(&presence->leaves);
        side_fill(presence, topic, &presence->joins, true);
        side_fill(presence, topic, &presence->leaves, false);
        diff_tell(presence, topic);
        presence_book_settle(&presence->book, topic);
    }
}

/* ---- state ---- */

bool ws_presence_state(const ws_presence *presence, ws_presence_room room, core_buffer *out) {
    presence_side side = {.out = *out, .writer = {0}};
    const presence_topic *topic = presence_book_topic(&presence->book, room);
    side.writer = core_json_writer_make(&side.out);
    core_json_object_open(&side.writer);
    for (const presence_key *key = topic != NULL ? topic->keys : NULL; key != NULL; key = key->next)
        for (const presence_entry *entry = key->entries; entry != NULL; entry = entry->next)
            if (entry->told)
                side_meta(&side, entry);
    side_key_close(&side);
    core_json_object_close(&side.writer);
    *out = side.out;
    return core_buffer_ok(out);
}
