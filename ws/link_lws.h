/* The link of link.h over libwebsockets; private to loop.c, which owns the context. */
#ifndef WALCAST_WS_LINK_LWS_H
#define WALCAST_WS_LINK_LWS_H

#include "ws/service.h"

struct lws_context;
struct lws_vhost;
struct ev_loop;

/* One context on one libev loop, with no listener of its own. NULL on failure. */
CORE_MUST_CHECK struct lws_context *ws_link_context_new(struct ev_loop *loop);
void ws_link_context_free(struct lws_context *context);
/* Makes a connection of an accepted socket, which is closed when that fails. */
void ws_link_adopt(struct lws_context *context, ws_service *service, int socket, core_address peer);

#endif
