/* The members of all nodes by topic and key, what clients have been told of them, and whose they
 * are. A member that is not there any more stays until its leave was told. Bounded by bytes. */
#ifndef WALCAST_WS_PRESENCE_BOOK_H
#define WALCAST_WS_PRESENCE_BOOK_H

#include "ws/hub_map.h"
#include "ws/presence_wire.h"

typedef struct presence_topic presence_topic;
typedef struct presence_key presence_key;
typedef struct presence_entry presence_entry;

/* A node's members. A ref is unique within one boot of it, which the tag stands for. */
typedef struct {
    hub_map refs;    /* of present and leaving ones */
    uint64_t digest; /* over the present ones */
    size_t count;    /* of them */
} presence_owner;

struct presence_entry {
    hub_map_node by_ref;
    hub_map_node by_member; /* this node's own */
    uint64_t member;
    presence_owner *owner;
    presence_key *key;
    presence_entry *next, **link; /* in the key's list */
    presence_entry *touched_next;
    bool touched;
    bool present; /* it is there */
    bool told;    /* clients know it as being there */
    bool kept;    /* while a node's state is applied: it is in it */
    uint64_t tag, ref, previous;
    uint64_t hash;
    size_t length;
    uint8_t payload[];
};

struct presence_key {
    hub_map_node by_name;
    presence_topic *topic;
    presence_entry *entries;
    presence_entry *touched;
    presence_key *next, **link; /* in the topic's list */
    presence_key *touched_next;
    bool is_touched;
    size_t metas; /* present */
    size_t length;
    uint8_t name[];
};

struct presence_topic {
    hub_map_node by_name;
    presence_key *keys;
    presence_key *touched;
    presence_topic *touched_next;
    bool is_touched;
    size_t key_count;
    size_t bytes;
    bool private_channel;
    size_t length;
    uint8_t name[];
};

typedef struct {
    hub_map topics;
    hub_map keys;
    presence_topic *touched;
    size_t bytes;
    size_t max_bytes;
    size_t members; /* present */
} presence_book;

void presence_book_fini(presence_book *book);
/* Frees a node's members without telling anybody; the book goes away too. */
void presence_book_clear(presence_book *book, presence_owner *owner);

static inline ws_presence_room presence_topic_room(const presence_topic *topic) {
    return (ws_presence_room){core_slice_make(topic->name, topic->length), topic->private_channel};
}
static inline core_slice presence_key_name(const presence_key *key) {
    return core_slice_make(key->name, key->length);
}
static inline core_slice presence_entry_payload(const presence_entry *entry) {
    return core_slice_make(entry->payload, entry->length);
}

/* NULL: none. */
presence_topic *presence_book_topic(const presence_book *book, ws_presence_room room);
presence_key *presence_book_key(const presence_book *book, const presence_topic *topic,
                                core_slice name);
presence_entry *presence_book_find(const presence_owner *owner, uint64_t tag, uint64_t ref);

/* Adds a member that is not there (an add op's). NULL when there is no room or no memory. */
CORE_MUST_CHECK presence_entry *presence_book_add(presence_book *book, presence_owner *owner,
                                                  uint64_t tag, const presence_op *op);
/* It is there, or not: told at the next flush, unless it changes back. */
void presence_book_show(presence_book *book, presence_entry *entry);
void presence_book_hide(presence_book *book, presence_entry *entry);
/* All of a node's. */
void presence_book_hide_all(presence_book *book, presence_owner *owner);
/* A topic that was touched is told: forgets what has left, and the topic with its last key. */
void presence_book_settle(presence_book *book, presence_topic *topic);

#endif
