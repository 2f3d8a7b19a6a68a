/* Names that mean one address when they are looked at and another when they are connected to. The
 * resolver is this test's: its getaddrinfo stands before libc's, also for libcurl. Two servers
 * listen on one port: that of 127.0.0.2, which the guard allows and so stands for a public one, and
 * that of 127.0.0.1, which nobody may reach. */
#include "exchange.h"

#include "../lib/http_server.h"

#include <netdb.h>
#include <netinet/in.h>

#define ANSWERS_MAX 4

/* What the next look-up finds, and how often one was asked for and has ended. While it is stuck it
 * answers nobody. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    const char *addresses[ANSWERS_MAX];
    unsigned asked, ended;
    bool stuck;
} resolver = {.mutex = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

typedef struct {
    struct addrinfo info;
    struct sockaddr_storage address;
} found;

static struct addrinfo *found_make(const char *text, unsigned port) {
    found *one = calloc(1, sizeof *one);
    if (one == NULL)
        abort();
    bool is_v6 = strchr(text, ':') != NULL;
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&one->address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&one->address;
    one->address.ss_family = is_v6 ? AF_INET6 : AF_INET;
    if (inet_pton(one->address.ss_family, text,
                  is_v6 ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) != 1)
        abort();
    v4->sin_port = htons((uint16_t)port); /* at the same place in both */
    one->info = (struct addrinfo){.ai_family = one->address.ss_family,
                                  .ai_socktype = SOCK_STREAM,
                                  .ai_protocol = IPPROTO_TCP,
                                  .ai_addrlen = is_v6 ? sizeof *v6 : sizeof *v4,
                                  .ai_addr = (struct sockaddr *)&one->address};
    return &one->info;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **all) {
    struct addrinfo **last = all;
    (void)name;
    (void)hints;
    (void)pthread_mutex_lock(&resolver.mutex);
    resolver.asked++;
    while (resolver.stuck)
        (void)pthread_cond_wait(&resolver.changed, &resolver.mutex);
    for (size_t i = 0; i < ANSWERS_MAX && resolver.addresses[i] != NULL; i++) {
        *last = found_make(resolver.addresses[i],
                           service != NULL ? (unsigned)strtoul(service, NULL, 10) : 0);
        last = &(*last)->ai_next;
    }
    *last = NULL;
    resolver.ended++;
    (void)pthread_cond_broadcast(&resolver.changed);
    (void)pthread_mutex_unlock(&resolver.mutex);
    return last != all ? 0 : EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *all) {
    while (all != NULL) {
        struct addrinfo *next = all->ai_next;
        free(all);
        all = next;
    }
}

static void resolve_to(const char *one, const char *two) {
    (void)pthread_mutex_lock(&resolver.mutex);
    resolver.addresses[0] = one;
    resolver.addresses[1] = two;
    (void)pthread_mutex_unlock(&resolver.mutex);
}

static void resolver_stick(bool stuck) {
    (void)pthread_mutex_lock(&resolver.mutex);
    resolver.stuck = stuck;
    (void)pthread_cond_broadcast(&resolver.changed);
    while (!stuck && resolver.ended < resolver.asked)
        (void)pthread_cond_wait(&resolver.changed, &resolver.mutex);
    (void)pthread_mutex_unlock(&resolver.mutex);
}

/* ---- The two servers ---- */

typedef struct {
    test_server public, secret;
    net_guard *guard;
    char url[64];
} house;

static void answer(test_server *server, int fd, const char *path) {
    (void)server;
    (void)path;
    test_server_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
}

static int house_open(void **state) {
    static house it;
    it = (house){.public = {.answer = answer, .host = "127.0.0.2", .keeps = true},
                 .secret = {.answer = answer, .host = "127.0.0.1", .keeps = true}};
    if (test_server_start(&it.public) != 0)
        return -1;
    it.secret.port = it.public.port;
    it.guard = exchange_guard("127.0.0.2");
    snprintf(it.url, sizeof it.url, "http://rebind.example:%u/", it.public.port);
    *state = &it;
    return test_server_start(&it.secret);
}

static int house_close(void **state) {
    house *it = *state;
    net_guard_free(it->guard);
    return test_server_stop(&it->public) + test_server_stop(&it->secret);
}

static net_http_outcome ask(house *it, net_http *http, const net_allow *allow, exchange *asked) {
    exchange_init(asked, it->url);
    asked->request.allow = allow;
    return exchange_run(asked, http);
}

static void the_secret_was_not_reached(house *it) {
    assert_int_equal(atomic_load(&it->secret.requests), 0);
}

/* ---- Tests ---- */

static void a_name_that_changes_is_judged_when_it_is_connected_to(void **state) {
    house *it = *state;
    exchange asked;
    core_error error;
    resolve_to("127.0.0.2", NULL);
    assert_int_equal(net_guard_url_check(it->guard, NULL, it->url, &error), NET_GUARD_PASS);
    net_http *http = exchange_http(it->guard);
    assert_int_equal(ask(it, http, NULL, &asked), NET_HTTP_ANSWERED);
    assert_string_equal(asked.result.address, "127.0.0.2");
    net_http_free(http);
    unsigned before = resolver.asked;
    resolve_to("127.0.0.1", NULL);
    assert_int_equal(net_guard_url_check(it->guard, NULL, it->url, &error), NET_GUARD_PASS);
    http = exchange_http(it->guard);
    assert_int_equal(ask(it, http, NULL, &asked), NET_HTTP_REFUSED);
    assert_non_null(strstr(asked.reason, "127.0.0.1 is a loopback address"));
    assert_true(resolver.asked > before);
    net_http_free(http);
    the_secret_was_not_reached(it);
}

static void of_several_addresses_only_good_ones_are_tried(void **state) {
    static const char *const pairs[][2] = {{"127.0.0.1", "127.0.0.2"},
                                           {"127.0.0.2", "127.0.0.1"},
                                           {"::1", "127.0.0.2"},
                                           {"::ffff:127.0.0.1", "127.0.0.2"},
                                           {"169.254.169.254", "127.0.0.2"}};
    house *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(pairs); i++) {
        exchange asked;
        net_http *http = exchange_http(it->guard);
        resolve_to(pairs[i][0], pairs[i][1]);
        assert_int_equal(ask(it, http, NULL, &asked), NET_HTTP_ANSWERED);
        assert_string_equal(asked.result.address, "127.0.0.2");
        net_http_free(http);
    }
    the_secret_was_not_reached(it);
}

/* They differ in how they name what 127.0.0.1 is. */
static void no_form_of_an_address_that_a_resolver_gives_leads_in(void **state) {
    static const char *const addresses[] = {"127.0.0.1",
                                            "::1",
                                            "::ffff:127.0.0.1",
                                            "::127.0.0.1",
                                            "0.0.0.0",
                                            "::",
                                            "64:ff9b::127.0.0.1",
                                            "2002:7f00:1::",
                                            "::ffff:0:127.0.0.1",
                                            "2001:0:808:808::80ff:fffe"};
    house *it = *state;
    for (size_t i = 0; i < CORE_COUNT_OF(addresses); i++) {
        exchange asked;
        net_http *http = exchange_http(it->guard);
        resolve_to(addresses[i], NULL);
        if (ask(it, http, NULL, &asked) != NET_HTTP_REFUSED)
            fail_msg("%s", addresses[i]);
        net_http_free(http);
    }
    the_secret_was_not_reached(it);
}

static void a_kept_connection_is_no_way_in_for_another_project(void **state) {
    house *it = *state;
    exchange asked;
    core_network loopback;
    net_guard *strict = exchange_guard(NULL);
    net_http *http = exchange_http(strict);
    assert_true(core_network_parse(core_slice_text("127.0.0.2"), &loopback));
    const net_allow allow = {.networks = &loopback, .count = 1};
    resolve_to("127.0.0.2", NULL);
    unsigned before = resolver.asked, seen = atomic_load(&it->public.requests);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(it, http, &allow, &asked), NET_HTTP_ANSWERED);
    assert_int_equal(resolver.asked, before + 1); /* so it was kept */
    assert_int_equal(atomic_load(&it->public.requests), seen + 3);
    assert_int_equal(ask(it, http, NULL, &asked), NET_HTTP_REFUSED);
    assert_non_null(strstr(asked.reason, "127.0.0.2 is a loopback address"));
    assert_int_equal(atomic_load(&it->public.requests), seen + 3);
    assert_int_equal(ask(it, http, &allow, &asked), NET_HTTP_ANSWERED);
    net_http_free(http);
    net_guard_free(strict);
    the_secret_was_not_reached(it);
}

/* The resolver's threads go on by themselves; nobody waits for them. */
static void a_resolver_that_hangs_holds_nobody(void **state) {
    static exchange asked, waiting, numeric;
    house *it = *state;
    char url[64];
    net_http *http = exchange_http(it->guard);
    resolve_to("127.0.0.2", NULL);
    resolver_stick(true);
    exchange_init(&asked, it->url);
    asked.request.timeout_ms = 300;
    assert_int_equal(exchange_run(&asked, http), NET_HTTP_TIMED_OUT);
    exchange_init(&waiting, it->url);
    waiting.request.timeout_ms = 600000;
    exchange_send(&waiting, http);
    snprintf(url, sizeof url, "http://127.0.0.2:%u/", it->public.port);
    exchange_init(&numeric, url);
    assert_int_equal(exchange_run(&numeric, http), NET_HTTP_ANSWERED); /* meanwhile */
    net_http_free(http);
    assert_int_equal(waiting.result.outcome, NET_HTTP_STOPPED);
    resolver_stick(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_changes_is_judged_when_it_is_connected_to),
        cmocka_unit_test(of_several_addresses_only_good_ones_are_tried),
        cmocka_unit_test(no_form_of_an_address_that_a_resolver_gives_leads_in),
        cmocka_unit_test(a_kept_connection_is_no_way_in_for_another_project),
        cmocka_unit_test(a_resolver_that_hangs_holds_nobody),
    };
    return cmocka_run_group_tests(tests, house_open, house_close);
}
