/* One peer's connection, whatever it speaks: bytes in, blocks out, one deadline, an orderly end.
 *
 * What it speaks is its handler: HTTP at first (http.h), WebSocket after an upgrade (socket.h). A
 * connection belongs to one service thread and is touched by no other. It frees itself once its
 * link has closed; a handler hears of that through on_gone and must not use it after. */
#ifndef WALCAST_WS_CONNECTION_H
#define WALCAST_WS_CONNECTION_H

#include "ws/limits.h"
#include "ws/link.h"
#include "ws/queue.h"
#include "ws/wheel.h"

typedef struct ws_service ws_service;
typedef struct ws_connection ws_connection;

typedef struct {
    /* Bytes came. Returns how many it took; what is left comes again, with more behind it. It may
     * change the bytes (unmasking), send, switch the handler, or close. */
    size_t (*on_bytes)(ws_connection *connection, uint8_t *bytes, size_t length);
    /* The deadline has passed. */
    void (*on_deadline)(ws_connection *connection, int64_t now_ms);
    /* What waited was sent, after ws_connection_watch_drain. NULL where that is not called. */
    void (*on_drained)(ws_connection *connection);
    /* A credential may have ended: look again at who speaks here. How many were looked at. NULL:
     * nobody whom it concerns. */
    size_t (*on_recheck)(ws_connection *connection);
    /* The last call: free `state`. */
    void (*on_gone)(ws_connection *connection);
    /* A request is under way that a drain should let end; NULL: never. */
    bool (*busy)(const ws_connection *connection);
} ws_handler;

typedef enum {
    WS_CONNECTION_OPEN,
    WS_CONNECTION_FLUSHING,  /* no more is taken in; what waits is sent */
    WS_CONNECTION_LINGERING, /* all is sent and half closed; waits for the peer's close */
    WS_CONNECTION_DEAD,      /* the link is being closed */
} ws_connection_state;

struct ws_connection {
    uint32_t magic;
    core_state state;
    ws_service *service;
    const ws_link *link;
    void *socket; /* the link's */
    const ws_handler *handler;
    void *handler_state;
    core_address peer;   /* the other end of the socket */
    core_address client; /* who asks: the peer, or whom a trusted proxy named in the last request */
    ws_queue queue;
    core_buffer pending; /* came and was not taken yet */
    ws_wheel_entry deadline;
    ws_wheel_entry pause;           /* armed: nothing is read and nothing taken until then */
    bool blocked;                   /* the socket is full: its writable call is awaited */
    ws_connection *next, *previous; /* in the service's list */
    ws_connection *dirty_next;      /* in the service's list of those with something to flush */
    bool dirty;
    bool watches_drain;
};

/* Adds itself to the service. NULL when memory is out; `socket` is then the caller's. */
CORE_MUST_CHECK ws_connection *ws_connection_new(ws_service *service, const ws_link *link,
                                                 void *socket, const ws_handler *handler,
                                                 void *handler_state);

/* ---- For the handler ---- */
void ws_connection_switch(ws_connection *connection, const ws_handler *handler,
                          void *handler_state);
/* Queues the block (a reference of its own) and sees to its being sent. False when the peer does
 * not read: its cap is passed and nothing was queued. */
CORE_MUST_CHECK bool ws_connection_send(ws_connection *connection, core_block *block);
/* The same of a frame that tells of this row (NULL: of none). Where much waits already, it takes
 * the place of those of the same row and tag that do. */
CORE_MUST_CHECK bool ws_connection_send_row(ws_connection *connection, core_block *block,
                                            ws_row *row, uint64_t tag);
/* The same whatever waits already: for a last, short word. False when memory is out. */
CORE_MUST_CHECK bool ws_connection_send_last(ws_connection *connection, core_block *block);
/* What may wait for the peer now. Less than ws.queue_bytes for one that does not keep up, when all
 * clients together come near ws.queue_total_bytes: so those go first that hold most. */
size_t ws_connection_cap(const ws_connection *connection);
/* Stops reading for a while; what has come waits. An earlier end that is set already stays. */
void ws_connection_pause(ws_connection *connection, int64_t until_ms);
/* Sends what waits, half closes, and gives the peer WS_LINGER_MS to close too. Input is dropped. */
void ws_connection_finish(ws_connection *connection);
/* Calls on_drained once, when little waits any more. */
void ws_connection_watch_drain(ws_connection *connection);
/* Closes at once. */
void ws_connection_kill(ws_connection *connection);
static inline bool ws_connection_open(const ws_connection *connection) {
    return connection->state.current == WS_CONNECTION_OPEN;
}
/* Brings bytes that the handler left again. Not within one of its calls. */
void ws_connection_resume(ws_connection *connection);
void ws_connection_set_deadline(ws_connection *connection, int64_t deadline_ms);

/* ---- For the link and the service ---- */
/* `bytes` may be changed. */
void ws_connection_bytes(ws_connection *connection, uint8_t *bytes, size_t length);
void ws_connection_writable(ws_connection *connection);
void ws_connection_flush(ws_connection *connection);
/* What ws_connection_pause set is over. */
void ws_connection_pause_over(ws_connection *connection);
void ws_connection_expired(ws_connection *connection, int64_t now_ms);
/* The link has closed. Frees the connection. */
void ws_connection_gone(ws_connection *connection);

#endif
