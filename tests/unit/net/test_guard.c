/* URLs by which somebody would reach what is not his, each sent for real through the client: it
 * must be refused, for the reason that is expected, and the servers that it aims at must see
 * nothing. */
#include "exchange.h"

#include "../lib/http_server.h"

#include <ifaddrs.h>
#include <netinet/in.h>

typedef struct {
    const char *url;
    const char *reason; /* a part of it */
} hostile;

#define ADDRESS(text, kind)        text " is a " kind " address"
#define INSIDE(text, inside, kind) text " stands for " inside ", is a " kind " address"
#define SYNTAX                     "this is no URL"
#define SCHEME                     "must begin with https:// or http://"
#define CREDENTIALS                "may not hold a user or password"
#define PORT                       "is another protocol's"

static const hostile hostiles[] = {
    /* Loopback, in every notation of a number. */
    {"http://127.0.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"https://127.0.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://127.0.0.1:8080/", ADDRESS("127.0.0.1", "loopback")},
    {"http://127.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://127.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://127.255.255.254/", ADDRESS("127.255.255.254", "loopback")},
    {"http://2130706433/", ADDRESS("127.0.0.1", "loopback")},
    {"http://017700000001/", ADDRESS("127.0.0.1", "loopback")},
    {"http://0x7f000001/", ADDRESS("127.0.0.1", "loopback")},
    {"http://0x7f.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://0x7F.0x0.0x0.0x1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://0177.0.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://0177.0x0.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://00000177.00.00.01/", ADDRESS("127.0.0.1", "loopback")},
    {"http://%31%32%37.0.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://%6c%6f%63%61%6c%68%6f%73%74/", "is a loopback address"},
    {"http://localhost/", "is a loopback address"},
    {"http://LOCALHOST/", "is a loopback address"},
    {"http://localhost:3000/", "is a loopback address"},
    {"HTTP://127.0.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http:/127.0.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http:///127.0.0.1/", ADDRESS("127.0.0.1", "loopback")},
    {"http://127.0.0.1?a=@example.com/", ADDRESS("127.0.0.1", "loopback")},
    {"http://127.0.0.1#@example.com/", ADDRESS("127.0.0.1", "loopback")},
    /* Digits, dots and letters that IDNA would make plain. */
    {"http://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.\xe2\x93\xaa.\xe2\x93\xaa.\xe2\x91\xa0/", SYNTAX},
    {"http://%e2%91%a0%e2%91%a1%e2%91%a6.0.0.1/", SYNTAX},
    {"http://127\xe3\x80\x82"
     "0\xe3\x80\x82"
     "0\xe3\x80\x82"
     "1/",
     SYNTAX},
    {"http://\xef\xbd\x8cocalhost/", SYNTAX},
    /* Unspecified: Linux connects to itself. */
    {"http://0/", ADDRESS("0.0.0.0", "unspecified")},
    {"http://0.0.0.0/", ADDRESS("0.0.0.0", "unspecified")},
    {"http://0x0/", ADDRESS("0.0.0.0", "unspecified")},
    {"http://0.1.2.3/", ADDRESS("0.1.2.3", "unspecified")},
    /* Private networks, and what providers and clouds have inside. */
    {"http://10.0.0.1/", ADDRESS("10.0.0.1", "private")},
    {"http://10.255.255.255/", ADDRESS("10.255.255.255", "private")},
    {"http://012.1/", ADDRESS("10.0.0.1", "private")},
    {"http://172.16.0.1/", ADDRESS("172.16.0.1", "private")},
    {"http://172.31.255.254/", ADDRESS("172.31.255.254", "private")},
    {"http://192.168.0.1/", ADDRESS("192.168.0.1", "private")},
    {"http://0xc0a80001/", ADDRESS("192.168.0.1", "private")},
    {"http://3232235777/", ADDRESS("192.168.1.1", "private")},
    {"http://169.254.169.254/latest/meta-data/", ADDRESS("169.254.169.254", "link-local")},
    {"http://2852039166/latest/meta-data/", ADDRESS("169.254.169.254", "link-local")},
    {"http://0xa9fea9fe/computeMetadata/v1/", ADDRESS("169.254.169.254", "link-local")},
    {"http://169.254.170.2/v2/credentials", ADDRESS("169.254.170.2", "link-local")},
    {"http://100.64.0.1/", ADDRESS("100.64.0.1", "shared (CGNAT)")},
    {"http://100.100.100.200/", ADDRESS("100.100.100.200", "shared (CGNAT)")},
    {"http://100.127.255.255/", ADDRESS("100.127.255.255", "shared (CGNAT)")},
    {"http://192.0.0.192/", ADDRESS("192.0.0.192", "protocol")},
    {"http://192.88.99.1/", ADDRESS("192.88.99.1", "protocol")},
    {"http://192.0.2.1/", ADDRESS("192.0.2.1", "documentation")},
    {"http://198.51.100.7/", ADDRESS("198.51.100.7", "documentation")},
    {"http://203.0.113.9/", ADDRESS("203.0.113.9", "documentation")},
    {"http://198.18.0.1/", ADDRESS("198.18.0.1", "benchmark")},
    {"http://198.19.255.255/", ADDRESS("198.19.255.255", "benchmark")},
    {"http://224.0.0.1/", ADDRESS("224.0.0.1", "multicast")},
    {"http://239.255.255.250/", ADDRESS("239.255.255.250", "multicast")},
    {"http://240.0.0.1/", ADDRESS("240.0.0.1", "reserved")},
    {"http://255.255.255.255/", ADDRESS("255.255.255.255", "broadcast")},
    {"http://4294967295/", ADDRESS("255.255.255.255", "broadcast")},
    /* IPv6 of its own. */
    {"http://[::1]/", ADDRESS("::1", "loopback")},
    {"http://[0:0:0:0:0:0:0:1]/", ADDRESS("::1", "loopback")},
    {"http://[0000:0000:0000:0000:0000:0000:0000:0001]:80/", ADDRESS("::1", "loopback")},
    {"http://[::]/", ADDRESS("::", "unspecified")},
    {"http://[fe80::1]/", ADDRESS("fe80::1", "link-local")},
    {"http://[fe80::1%25lo]/", ADDRESS("fe80::1", "link-local")},
    {"http://[febf::1]/", ADDRESS("febf::1", "link-local")},
    {"http://[fec0::1]/", ADDRESS("fec0::1", "site-local")},
    {"http://[fc00::1]/", ADDRESS("fc00::1", "unique local")},
    {"http://[fd00:ec2::254]/latest/meta-data/", ADDRESS("fd00:ec2::254", "unique local")},
    {"http://[ff02::1]/", ADDRESS("ff02::1", "multicast")},
    {"http://[2001:db8::1]/", ADDRESS("2001:db8::1", "documentation")},
    {"http://[3fff::1]/", ADDRESS("3fff::1", "documentation")},
    {"http://[100::1]/", ADDRESS("100::1", "discard-only")},
    {"http://[2001:2::1]/", ADDRESS("2001:2::1", "benchmark")},
    {"http://[2001:10::1]/", ADDRESS("2001:10::1", "protocol")},
    {"http://[2001:1ff::1]/", ADDRESS("2001:1ff::1", "protocol")},
    {"http://[5f00::1]/", ADDRESS("5f00::1", "protocol")},
    {"http://[3ffe::1]/", ADDRESS("3ffe::1", "reserved")},
    {"http://[4000::1]/", ADDRESS("4000::1", "reserved")},
    {"http://[1::1]/", ADDRESS("1::1", "reserved")},
    /* IPv4 inside IPv6. */
    {"http://[::ffff:127.0.0.1]/", ADDRESS("127.0.0.1", "loopback")},
    {"http://[::ffff:7f00:1]/", ADDRESS("127.0.0.1", "loopback")},
    {"http://[0:0:0:0:0:ffff:a00:1]/", ADDRESS("10.0.0.1", "private")},
    {"http://[::ffff:169.254.169.254]/", ADDRESS("169.254.169.254", "link-local")},
    {"http://[::127.0.0.1]/", INSIDE("::127.0.0.1", "127.0.0.1", "loopback")},
    {"http://[::a00:1]/", INSIDE("::10.0.0.1", "10.0.0.1", "private")},
    {"http://[::ffff:0:127.0.0.1]/", INSIDE("::ffff:0:7f00:1", "127.0.0.1", "loopback")},
    {"http://[64:ff9b::127.0.0.1]/", INSIDE("64:ff9b::7f00:1", "127.0.0.1", "loopback")},
    {"http://[64:ff9b::a9fe:a9fe]/", INSIDE("64:ff9b::a9fe:a9fe", "169.254.169.254", "link-local")},
    {"http://[64:ff9b:1::10.0.0.1]/", ADDRESS("64:ff9b:1::a00:1", "local translation")},
    {"http://[64:ff9b:1::8.8.8.8]/", ADDRESS("64:ff9b:1::808:808", "local translation")},
    {"http://[64:ff9b:1:a00:0:100::]/", ADDRESS("64:ff9b:1:a00:0:100::", "local translation")},
    {"http://[64:ff9b:0:1::8.8.8.8]/", "reserved address"},
    {"http://[2002:7f00:1::]/", INSIDE("2002:7f00:1::", "127.0.0.1", "loopback")},
    {"http://[2002:c0a8:101::1]/", INSIDE("2002:c0a8:101::1", "192.168.1.1", "private")},
    {"http://[2002:a9fe:a9fe::]/", INSIDE("2002:a9fe:a9fe::", "169.254.169.254", "link-local")},
    {"http://[2001::f5ff:fffe]/", INSIDE("2001::f5ff:fffe", "0.0.0.0", "unspecified")},
    {"http://[2001:0:808:808::f5ff:fffe]/",
     INSIDE("2001:0:808:808::f5ff:fffe", "10.0.0.1", "private")},
    {"http://[2001:0:a00:1::f7f7:f7f7]/", INSIDE("2001:0:a00:1::f7f7:f7f7", "10.0.0.1", "private")},
    {"http://[2a00::5efe:10.0.0.1]/", INSIDE("2a00::5efe:a00:1", "10.0.0.1", "private")},
    {"http://[2a00::200:5efe:7f00:1]/", INSIDE("2a00::200:5efe:7f00:1", "127.0.0.1", "loopback")},
    /* What is no http, or hides where it leads. */
    {"file:///etc/passwd", SCHEME},
    {"ftp://example.com/", SCHEME},
    {"gopher://127.0.0.1:6379/_FLUSHALL", SCHEME},
    {"dict://127.0.0.1:11211/stats", SCHEME},
    {"ldap://127.0.0.1/", SCHEME},
    {"ws://127.0.0.1/", SCHEME},
    {"javascript:alert(1)", SCHEME},
    {"127.0.0.1", SYNTAX},
    {"//127.0.0.1/", SYNTAX},
    {"", SYNTAX},
    {" http://example.com/", SYNTAX},
    {"http://", SYNTAX},
    {"http://[::1/", SYNTAX},
    {"http://[::1]x/", SYNTAX},
    {"http://exa mple.com/", SYNTAX},
    {"http://example.com\r\nHost: internal/", SYNTAX},
    {"http://example.com/\r\nX-Injected: 1", SYNTAX},
    {"http://example.com\\@127.0.0.1/", SYNTAX},
    {"http://example.com:0x50/", SYNTAX},
    {"http://example.com:65536/", SYNTAX},
    {"http://user@example.com/", CREDENTIALS},
    {"http://user:password@example.com/", CREDENTIALS},
    {"http://:@example.com/", CREDENTIALS},
    {"http://example.com@127.0.0.1/", CREDENTIALS},
    {"http://example.com:80@127.0.0.1/", CREDENTIALS},
    {"http://127.0.0.1%23@example.com/", CREDENTIALS},
    {"http://example.com:22/", PORT},
    {"http://example.com:25/", PORT},
    {"https://example.com:110/", PORT},
    {"http://example.com:6667/", PORT},
};

static void no_hostile_url_is_followed(void **state) {
    net_guard *guard = exchange_guard(NULL);
    net_http *http = exchange_http(guard);
    unsigned faults = 0;
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(hostiles); i++) {
        static exchange it;
        exchange_init(&it, hostiles[i].url);
        net_http_outcome outcome = exchange_run(&it, http);
        if (outcome == NET_HTTP_REFUSED && strstr(it.reason, hostiles[i].reason) != NULL &&
            it.result.status == 0)
            continue;
        print_error("%s: %s: %s\n", hostiles[i].url, net_http_outcome_name(outcome), it.reason);
        faults++;
    }
    assert_int_equal(faults, 0);
    assert_true(CORE_COUNT_OF(hostiles) >= 80);
    net_http_free(http);
    net_guard_free(guard);
}

/* Whether a resolver knows these is its own affair. */
static void names_with_a_final_dot_lead_nowhere_else(void **state) {
    static const char *const urls[] = {"http://localhost./", "http://2130706433./",
                                       "http://127.0.0.1./"};
    net_guard *guard = exchange_guard(NULL);
    net_http *http = exchange_http(guard);
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(urls); i++) {
        static exchange it;
        exchange_init(&it, urls[i]);
        net_http_outcome outcome = exchange_run(&it, http);
        if (outcome != NET_HTTP_REFUSED && outcome != NET_HTTP_UNRESOLVED)
            fail_msg("%s: %s", urls[i], net_http_outcome_name(outcome));
    }
    net_http_free(http);
    net_guard_free(guard);
}

static net_guard_verdict check(const net_guard *guard, const net_allow *allow, const char *url) {
    core_error error;
    return net_guard_url_check(guard, allow, url, &error);
}

static void public_urls_pass(void **state) {
    static const char *const urls[] = {
        "https://example.com/hook?a=b#c",
        "http://example.com:8080/",
        "https://8.8.8.8/",
        "https://134744072/",
        "http://172.15.255.255/",
        "http://172.32.0.1/",
        "http://100.63.255.255/",
        "http://100.128.0.1/",
        "http://223.255.255.255/",
        "https://[2606:4700::1111]/",
        "https://[2001:200::1]/",
        "https://[2a00::1]/",
        "https://[64:ff9b::8.8.8.8]/",
        "https://[2002:808:808::1]/",
        "https://[2001:0:808:808::f7f7:f7f7]/",
        "https://[::ffff:8.8.8.8]/",
        "https://xn--bcher-kva.example/",
    };
    net_guard *guard = exchange_guard(NULL);
    (void)state;
    for (size_t i = 0; i < CORE_COUNT_OF(urls); i++)
        if (check(guard, NULL, urls[i]) != NET_GUARD_PASS)
            fail_msg("%s", urls[i]);
    net_guard_free(guard);
}

static void an_allow_list_opens_what_it_names_only(void **state) {
    core_network network;
    net_guard *guard = exchange_guard("10.1.0.0/16");
    (void)state;
    assert_true(core_network_parse(core_slice_text("fd00::/8"), &network));
    const net_allow project = {.networks = &network, .count = 1};
    assert_int_equal(check(guard, NULL, "http://10.1.2.3/"), NET_GUARD_PASS);
    assert_int_equal(check(guard, NULL, "http://10.2.2.3/"), NET_GUARD_ADDRESS);
    assert_int_equal(check(guard, NULL, "http://[::ffff:10.1.2.3]/"), NET_GUARD_PASS);
    assert_int_equal(check(guard, NULL, "http://[64:ff9b::10.1.2.3]/"), NET_GUARD_PASS);
    assert_int_equal(check(guard, NULL, "http://[fd00::1]/"), NET_GUARD_ADDRESS);
    assert_int_equal(check(guard, &project, "http://[fd00::1]/"), NET_GUARD_PASS);
    assert_int_equal(check(guard, &project, "http://10.1.2.3/"), NET_GUARD_PASS);
    assert_int_equal(check(guard, &project, "http://192.168.0.1/"), NET_GUARD_ADDRESS);
    assert_int_equal(check(guard, &project, "http://a@10.1.2.3/"), NET_GUARD_CREDENTIALS);
    assert_int_equal(check(guard, &project, "http://10.1.2.3:22/"), NET_GUARD_PORT);
    net_guard_free(guard);
}

/* An address of this machine that is no loopback one; false: it has none. */
static bool own_address(char text[CORE_ADDRESS_TEXT_SIZE]) {
    struct ifaddrs *all;
    bool found = false;
    assert_int_equal(getifaddrs(&all), 0);
    for (const struct ifaddrs *one = all; one != NULL && !found; one = one->ifa_next) {
        if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET)
            continue;
        struct sockaddr_storage socket;
        memcpy(&socket, one->ifa_addr, sizeof(struct sockaddr_in));
        core_address address = core_address_of(&socket);
        core_address_text(&address, text);
        found = strncmp(text, "127.", 4) != 0;
    }
    freeifaddrs(all);
    return found;
}

/* By the address that others know it by: it is reached by loopback as well. */
static void own_of_this_machine(const net_guard_spec *like, const char *address) {
    const net_own own = {address, 5432};
    net_guard_spec spec = *like;
    core_error error;
    spec.own = &own;
    spec.own_count = 1;
    net_guard *guard = net_guard_new(&spec, &error);
    assert_non_null(guard);
    assert_int_equal(check(guard, NULL, "http://127.0.0.1:5432/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://127.0.0.1:5433/"), NET_GUARD_PASS);
    net_guard_free(guard);
}

static void our_own_ports_are_closed_whatever_is_allowed(void **state) {
    static const net_own own[] = {
        {NULL, 4000}, {"10.0.0.9", 5432}, {"localhost", 4222}, {"db.internal", 5433}};
    core_network all[2];
    core_error error;
    char address[CORE_ADDRESS_TEXT_SIZE], url[128];
    (void)state;
    assert_true(core_network_parse(core_slice_text("0.0.0.0/0"), &all[0]) &&
                core_network_parse(core_slice_text("::/0"), &all[1]));
    const net_guard_spec spec = {
        .allow = {.networks = all, .count = 2}, .own = own, .own_count = CORE_COUNT_OF(own)};
    net_guard *guard = net_guard_new(&spec, &error);
    assert_non_null(guard);
    assert_int_equal(check(guard, NULL, "http://127.0.0.1:4000/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://127.9.9.9:4000/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://0:4000/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://[::1]:4000/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://[::]:4000/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://[64:ff9b::127.0.0.1]:4000/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://127.0.0.1:4001/"), NET_GUARD_PASS);
    assert_int_equal(check(guard, NULL, "http://10.0.0.9:5432/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://[2002:a00:9::]:5432/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://10.0.0.8:5432/"), NET_GUARD_PASS);
    assert_int_equal(check(guard, NULL, "http://127.0.0.1:4222/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://localhost:4222/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://127.9.9.9:4222/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://DB.internal.:5433/"), NET_GUARD_OWN);
    assert_int_equal(check(guard, NULL, "http://db.internal:5434/"), NET_GUARD_PASS);
    if (own_address(address)) {                       /* also where it is a public one */
        static const unsigned ports[] = {4000, 4222}; /* of any address, and of localhost */
        for (size_t i = 0; i < CORE_COUNT_OF(ports); i++) {
            snprintf(url, sizeof url, "http://%s:%u/", address, ports[i]);
            assert_int_equal(check(guard, NULL, url), NET_GUARD_OWN);
        }
        own_of_this_machine(&spec, address);
    }
    net_guard_free(guard);
}

static void the_configuration_names_what_is_ours(void **state) {
    static const struct {
        const char *key, *value;
    } keys[] = {
        {"http.listen", "[::1]:4010"},
        {"nats.url", "nats://a:b@10.0.0.1:4333,tls://10.0.0.2"},
        {"postgres.url", "postgres://u:p%40w@10.0.0.3:5444,10.0.0.4/d?sslmode=disable"},
        {"triggers.sql_url", "postgres://u:pw@10.0.0.5:5455/d"},
        {"triggers.allow",
         "10.0.0.0/8,shop=172.16.1.0/24,127.0.0.0/8,a.b=192.168.7.7,shop=fd00::/8"},
    };
    static const char *const closed[] = {
        "http://127.0.0.1:4010/", "http://10.0.0.1:4333/", "http://10.0.0.2:4222/",
        "http://10.0.0.3:5444/",  "http://10.0.0.4:5432/", "http://10.0.0.5:5455/",
    };
    core_error error = {.code = CORE_ERROR_NONE};
    (void)state;
    core_config *config = core_config_load(NULL, stderr);
    assert_non_null(config);
    for (size_t i = 0; i < CORE_COUNT_OF(keys); i++)
        if (!core_config_set(config, keys[i].key, keys[i].value, "test", &error))
            fail_msg("%s", error.text);
    net_guard *guard = net_guard_for_config(config, &error);
    if (guard == NULL)
        fail_msg("%s", error.text);
    for (size_t i = 0; i < CORE_COUNT_OF(closed); i++)
        if (check(guard, NULL, closed[i]) != NET_GUARD_OWN)
            fail_msg("%s", closed[i]);
    assert_int_equal(check(guard, NULL, "http://10.0.0.1:4222/"), NET_GUARD_PASS);
    assert_int_equal(check(guard, NULL, "http://192.168.0.1/"), NET_GUARD_ADDRESS);
    const net_allow *shop = net_guard_project_allow(guard, core_slice_text("shop"));
    const net_allow *other = net_guard_project_allow(guard, core_slice_text("a.b"));
    assert_null(net_guard_project_allow(guard, core_slice_text("sho")));
    assert_null(net_guard_project_allow(guard, core_slice_text("")));
    static const struct {
        const char *url;
        bool by_all, by_shop, by_other;
    } opened[] = {
        {"http://10.1.2.3/", true, true, true},
        {"http://172.16.1.9/", false, true, false},
        {"http://172.16.2.9/", false, false, false},
        {"http://[fd00::1]/", false, true, false},
        {"http://192.168.7.7/", false, false, true},
        {"http://192.168.7.8/", false, false, false},
        {"http://[::ffff:172.16.1.9]/", false, true, false},
    };
    for (size_t i = 0; i < CORE_COUNT_OF(opened); i++) {
        assert_int_equal(check(guard, NULL, opened[i].url) == NET_GUARD_PASS, opened[i].by_all);
        assert_int_equal(check(guard, shop, opened[i].url) == NET_GUARD_PASS, opened[i].by_shop);
        assert_int_equal(check(guard, other, opened[i].url) == NET_GUARD_PASS, opened[i].by_other);
    }
    net_guard_free(guard);
    core_config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_hostile_url_is_followed),
        cmocka_unit_test(names_with_a_final_dot_lead_nowhere_else),
        cmocka_unit_test(public_urls_pass),
        cmocka_unit_test(an_allow_list_opens_what_it_names_only),
        cmocka_unit_test(our_own_ports_are_closed_whatever_is_allowed),
        cmocka_unit_test(the_configuration_names_what_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
