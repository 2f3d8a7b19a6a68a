/* Questions to PostgreSQL about rows that only it can hold against policies; see hub_ask.c. */
#ifndef WALCAST_WS_HUB_ASK_H
#define WALCAST_WS_HUB_ASK_H

#include "auth/auth.h"

typedef struct hub_ask hub_ask;
typedef struct hub_class hub_class;
typedef struct hub_classes hub_classes;
typedef struct hub_policy hub_policy;
typedef struct ws_hub ws_hub;

/* Of the change at hand, by the class's claims, its new image or its old one. LATER: it is asked
 * for with the next hub_asks_submit, or is under way. MISSING: the stream has not all
 * of the image that the policies may read.
 */
typedef enum { HUB_ASK_LATER, HUB_ASK_ANSWERED, HUB_ASK_MISSING } hub_ask_result;
hub_ask_result hub_ask_row(ws_hub *hub, const hub_class *class, const hub_policy *policy,
                           core_slice condition, bool is_old, auth_row_verdict *verdict,
                           const char **reason);
/* Hands in what was gathered for the change at hand. */
void hub_asks_submit(ws_hub *hub, hub_classes *home);
/* The audience has gone on, or is gone: what was asked for it is of no more use. */
void hub_asks_end(ws_hub *hub, hub_classes *home);
/* Some of it has no answer yet: to try the change again would be in vain. */
bool hub_asks_wait(const ws_hub *hub, const hub_classes *home);
/* Frees what nobody waits for any more. */
void hub_asks_collect(ws_hub *hub);
/* The pool must have stopped. */
void hub_asks_fini(ws_hub *hub);

#endif
