/* See presence_book.h. Three tables of embedded nodes: topics by name, keys by topic and name, and
 * each node's members by tag and ref. What changed is listed (touched) so that a flush costs by
 * changes and not by members. */
#include "ws/presence_book.h"

#include <stdlib.h>

/* What one costs besides its own bytes: its share of the tables. */
enum { TABLE_BYTES = 16 };

/* ---- finding ---- */

static uint64_t ref_hash(uint64_t tag, uint64_t ref) {
    return (ref + tag) * UINT64_C(0x9E3779B97F4A7C15);
}

static uint64_t room_hash(ws_presence_room room) {
    return core_slice_hash(room.topic) + room.private_channel;
}

static uint64_t key_hash(const presence_topic *topic, core_slice name) {
    return core_slice_hash(name) ^ (uint64_t)(uintptr_t)topic * UINT64_C(0x9E3779B97F4A7C15);
}

presence_topic *presence_book_topic(const presence_book *book, ws_presence_room room) {
    hub_map_node *node = hub_map_first(&book->topics, room_hash(room));
    for (; node != NULL; node = hub_map_next(node)) {
        presence_topic *topic = node->owner;
        if (topic->private_channel == room.private_channel &&
            core_slice_equal(presence_topic_room(topic).topic, room.topic))
            return topic;
    }
    return NULL;
}

presence_key *presence_book_key(const presence_book *book, const presence_topic *topic,
                                core_slice name) {
    hub_map_node *node = hub_map_first(&book->keys, key_hash(topic, name));
    for (; node != NULL; node = hub_map_next(node)) {
        presence_key *key = node->owner;
        if (key->topic == topic && core_slice_equal(presence_key_name(key), name))
            return key;
    }
    return NULL;
}

presence_entry *presence_book_find(const presence_owner *owner, uint64_t tag, uint64_t ref) {
    hub_map_node *node = hub_map_first(&owner->refs, ref_hash(tag, ref));
    for (; node != NULL; node = hub_map_next(node)) {
        presence_entry *entry = node->owner;
        if (entry->tag == tag && entry->ref == ref)
            return entry;
    }
    return NULL;
}

/* ---- making ---- */

/* Memory within the book's bound. */
static void *book_alloc(presence_book *book, size_t size) {
    if (size + TABLE_BYTES > book->max_bytes - book->bytes)
        return NULL;
    void *made = calloc(1, size);
    if (made != NULL)
        book->bytes += size + TABLE_BYTES;
    return made;
}

static void book_release(presence_book *book, void *made, size_t size) {
    book->bytes -= size + TABLE_BYTES;
    free(made);
}

static presence_topic *topic_make(presence_book *book, ws_presence_room room) {
    core_slice name = room.topic;
    presence_topic *topic = book_alloc(book, sizeof *topic + name.length);
    if (topic == NULL)
        return NULL;
    topic->private_channel = room.private_channel;
    topic->length = name.length;
    memcpy(topic->name, name.data, name.length);
    if (hub_map_add(&book->topics, &topic->by_name, room_hash(room), topic))
        return topic;
    book_release(book, topic, sizeof *topic + name.length);
    return NULL;
}

static void topic_drop(presence_book *book, presence_topic *topic) {
    hub_map_remove(&book->topics, &topic->by_name);
    book_release(book, topic, sizeof *topic + topic->length);
}

static presence_key *key_make(presence_book *book, presence_topic *topic, core_slice name) {
    presence_key *key = book_alloc(book, sizeof *key + name.length);
    if (key == NULL)
        return NULL;
    key->topic = topic;
    key->length = name.length;
    memcpy(key->name, name.data, name.length);
    if (!hub_map_add(&book->keys, &key->by_name, key_hash(topic, name), key)) {
        book_release(book, key, sizeof *key + name.length);
        return NULL;
    }
    key->next = topic->keys;
    key->link = &topic->keys;
    if (key->next != NULL)
        key->next->link = &key->next;
    topic->keys = key;
    topic->key_count++;
    topic->bytes += name.length;
    return key;
}

static void key_drop(presence_book *book, presence_key *key) {
    *key->link = key->next;
    if (key->next != NULL)
        key->next->link = key->link;
    key->topic->key_count--;
    key->topic->bytes -= key->length;
    hub_map_remove(&book->keys, &key->by_name);
    book_release(book, key, sizeof *key + key->length);
}

static void entry_drop(presence_book *book, presence_entry *entry) {
    *entry->link = entry->next;
    if (entry->next != NULL)
        entry->next->link = entry->link;
    entry->key->topic->bytes -= entry->length;
    hub_map_remove(&entry->owner->refs, &entry->by_ref);
    book_release(book, entry, sizeof *entry + entry->length);
}

/* The digest's part: the same on every node. */
static uint64_t op_hash(const presence_op *op) {
    uint64_t hash = core_slice_hash(op->topic) * 3 + core_slice_hash(op->key) + op->private_channel;
    return (hash * 5 + core_slice_hash(op->payload)) ^ (op->ref + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static presence_entry *entry_make(presence_book *book, presence_owner *owner, presence_key *key,
                                  uint64_t tag, const presence_op *op) {
    presence_entry *entry = book_alloc(book, sizeof *entry + op->payload.length);
    if (entry == NULL)
        return NULL;
    *entry = (presence_entry){.owner = owner,
                              .key = key,
                              .tag = tag,
                              .ref = op->ref,
                              .previous = op->previous,
                              .hash = op_hash(op),
                              .length = op->payload.length};
    memcpy(entry->payload, op->payload.data, op->payload.length);
    if (!hub_map_add(&owner->refs, &entry->by_ref, ref_hash(tag, op->ref), entry)) {
        book_release(book, entry, sizeof *entry + op->payload.length);
        return NULL;
    }
    entry->next = key->entries;
    entry->link = &key->entries;
    if (entry->next != NULL)
        entry->next->link = &entry->next;
    key->entries = entry;
    key->topic->bytes += op->payload.length;
    return entry;
}

presence_entry *presence_book_add(presence_book *book, presence_owner *owner, uint64_t tag,
                                  const presence_op *op) {
    ws_presence_room room = {op->topic, op->private_channel};
    presence_topic *topic = presence_book_topic(book, room);
    if (topic == NULL)
        topic = topic_make(book, room);
    if (topic == NULL)
        return NULL;
    presence_key *key = presence_book_key(book, topic, op->key);
    if (key == NULL)
        key = key_make(book, topic, op->key);
    presence_entry *entry = key != NULL ? entry_make(book, owner, key, tag, op) : NULL;
    if (entry != NULL) {
        presence_book_show(book, entry);
        return entry;
    }
    if (key != NULL && key->entries == NULL)
        key_drop(book, key);
    if (topic->keys == NULL)
        topic_drop(book, topic);
    return NULL;
}

/* ---- changing ---- */

static void entry_touch(presence_book *book, presence_entry *entry) {
    presence_key *key = entry->key;
    presence_topic *topic = key->topic;
    if (entry->touched)
        return;
    entry->touched = true;
    entry->touched_next = key->touched;
    key->touched = entry;
    if (key->is_touched)
        return;
    key->is_touched = true;
    key->touched_next = topic->touched;
    topic->touched = key;
    if (topic->is_touched)
        return;
    topic->is_touched = true;
    topic->touched_next = book->touched;
    book->touched = topic;
}

void presence_book_show(presence_book *book, presence_entry *entry) {
    assert(!entry->present);
    entry->present = true;
    entry->owner->digest += entry->hash;
    entry->owner->count++;
    entry->key->metas++;
    book->members++;
    entry_touch(book, entry);
}

void presence_book_hide(presence_book *book, presence_entry *entry) {
    assert(entry->present);
    entry->present = false;
    entry->owner->digest -= entry->hash;
    entry->owner->count--;
    entry->key->metas--;
    book->members--;
    entry_touch(book, entry);
}

void presence_book_hide_all(presence_book *book, presence_owner *owner) {
    size_t cursor = 0;
    hub_map_node *at = NULL;
    for (presence_entry *entry; (entry = hub_map_each(&owner->refs, &cursor, &at)) != NULL;)
        if (entry->present)
            presence_book_hide(book, entry);
}

static void key_settle(presence_book *book, presence_key *key) {
    for (presence_entry *entry = key->touched, *next; entry != NULL; entry = next) {
        next = entry->touched_next;
        entry->touched = false;
        entry->told = entry->present;
        if (!entry->present)
            entry_drop(book, entry);
    }
    key->touched = NULL;
    key->is_touched = false;
    if (key->entries == NULL)
        key_drop(book, key);
}

void presence_book_settle(presence_book *book, presence_topic *topic) {
    assert(book->touched == topic);
    book->touched = topic->touched_next;
    for (presence_key *key = topic->touched, *next; key != NULL; key = next) {
        next = key->touched_next;
        key_settle(book, key);
    }
    topic->touched = NULL;
    topic->is_touched = false;
    if (topic->keys == NULL)
        topic_drop(book, topic);
}

/* ---- the end ---- */

void presence_book_clear(presence_book *book, presence_owner *owner) {
    presence_book_hide_all(book, owner);
    while (book->touched != NULL)
        presence_book_settle(book, book->touched);
    assert(owner->refs.count == 0);
    hub_map_fini(&owner->refs);
}

void presence_book_fini(presence_book *book) {
    assert(book->topics.count == 0 && book->keys.count == 0 && book->bytes == 0);
    hub_map_fini(&book->topics);
    hub_map_fini(&book->keys);
}
