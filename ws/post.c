/* See post.h. A stack that its one reader takes whole and turns round: pushing is one exchange, and
 * there is nothing to lock. Only who finds it empty wakes the thread. */
#include "ws/post.h"

#include "ws/loop.h"

void ws_post_send(ws_service *service, ws_post *post) {
    ws_post *before = atomic_load_explicit(&service->posts, memory_order_relaxed);
    do
        post->next = before;
    while (!atomic_compare_exchange_weak_explicit(&service->posts, &before, post,
                                                  memory_order_release, memory_order_relaxed));
    if (before == NULL && service->loop != NULL)
        ws_loop_post(service->loop);
}

void ws_posts_run(ws_service *service) {
    ws_post *newest = atomic_exchange_explicit(&service->posts, NULL, memory_order_acquire);
    ws_post *oldest = NULL;
    while (newest != NULL) {
        ws_post *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        ws_post *next = oldest->next;
        oldest->run(oldest, service);
        oldest = next;
    }
}
