/* What any thread hands to a service thread: a call to run there.
 *
 * The poster owns the memory and embeds the post in it, so posting never fails and never blocks;
 * how many may be on their way is the poster's to bound. Order among posts of one thread holds. */
#ifndef WALCAST_WS_POST_H
#define WALCAST_WS_POST_H

#include "ws/service.h"

struct ws_post {
    ws_post *next;
    /* Runs on the service's thread; the post is the caller's again, who may free it. */
    void (*run)(ws_post *post, ws_service *service);
};

/* Any thread, as long as the server is not freed. The post must stay until it runs; it runs also
 * when the thread has ended, as the server is freed. */
void ws_post_send(ws_service *service, ws_post *post);
/* The service's thread: runs what has come. */
void ws_posts_run(ws_service *service);

#endif
