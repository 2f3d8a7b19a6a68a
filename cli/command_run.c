/* `walcast run`: the process with its roles, from the configuration to the last ack.
 *
 * The main thread blocks SIGTERM, SIGINT and SIGHUP before any other thread is made, wires the
 * parts, then waits for a signal. SIGHUP has the certificate's files read again. At the first of
 * the others readiness turns false and everything drains, for up to
 * drain.timeout; a second one, or the time-out, ends the process as it is: the next start goes on
 * where the stream ends. */
#include "cli/command.h"
#include "cli/roles.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define DRAIN_LOOK_MS 10

typedef struct {
    core_config *config;
    core_log *log;
    core_metrics *metrics;
    core_route_table routes;
    cli_roles roles;
    auth_verifier *verifier;
    auth_audit *audit;
    auth_limits *limits;
    cli_apis apis;
    ws_server *server;
    sigset_t signals;
} run;

/* Each client is a descriptor: take as many as we may. */
static void run_descriptors_raise(core_log *log) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        CORE_LOG(log, WARN, "cli", "the limit of open files could not be raised",
                 CORE_LOG_TEXT("error", strerror(errno)));
}

static core_log_level run_log_level(const core_config *config) {
    static const char *const names[] = {[CORE_LOG_DEBUG] = "debug",
                                        [CORE_LOG_INFO] = "info",
                                        [CORE_LOG_WARN] = "warn",
                                        [CORE_LOG_ERROR] = "error"};
    const char *level = core_config_text(config, "log.level");
    for (size_t i = 0; i < CORE_COUNT_OF(names); i++)
        if (strcmp(names[i], level) == 0)
            return (core_log_level)i;
    return CORE_LOG_INFO;
}

static bool run_tools_make(run *state, core_error *error) {
    bool json = strcmp(core_config_text(state->config, "log.format"), "json") == 0;
    state->log =
        core_log_new(STDERR_FILENO, run_log_level(state->config), json, core_clock_system());
    state->metrics = core_metrics_new();
    if (state->log == NULL || state->metrics == NULL)
        return core_error_set(error, CORE_ERROR_INTERNAL, "no memory to start");
    return true;
}

/* What other rooms serve over HTTP is known before the server is. */
static bool run_routes(run *state, core_error *error) {
    const triggers_spec spec = {.config = state->config,
                                .log = state->log,
                                .metrics = state->metrics,
                                .clock = core_clock_system(),
                                .audit = state->audit};
    cli_apis *apis = &state->apis;
    if (cli_roles_want(state->config, "triggers")) {
        apis->triggers = triggers_api_new(&spec, error);
        if (apis->triggers == NULL || !triggers_api_serve(apis->triggers, &state->routes, error))
            return false;
    }
    if (!cli_roles_want(state->config, "search"))
        return true;
    apis->search = search_api_new(state->config, error);
    return apis->search != NULL && search_api_serve(apis->search, &state->routes, error);
}

static bool run_start(run *state, core_error *error) {
    const auth_verifier_spec verifier_spec = {.config = state->config,
                                              .clock = core_clock_system(),
                                              .log = state->log,
                                              .metrics = state->metrics,
                                              .keys = true};
    state->verifier = auth_verifier_new(&verifier_spec, error);
    if (state->verifier == NULL)
        return false;
    state->audit = auth_audit_new(state->config, state->log, state->metrics, error);
    if (state->audit == NULL)
        return false;
    state->limits =
        auth_limits_new(state->config, state->log, state->metrics, core_clock_system(), error);
    if (state->limits == NULL)
        return false;
    if (!run_routes(state, error))
        return false;
    const ws_server_spec spec = {
        .config = state->config,
        .log = state->log,
        .metrics = state->metrics,
        .clock = core_clock_system(),
        .routes = &state->routes,
        .verifier = state->verifier,
        .audit = state->audit,
        .limits = state->limits,
        .ready = cli_roles_ready,
        .context = &state->roles,
    };
    state->server = ws_server_new(&spec, error);
    if (state->server == NULL)
        return false;
    CORE_LOG(state->log, INFO, "cli", "listening",
             CORE_LOG_TEXT("address", ws_server_address(state->server)));
    return cli_roles_start(&state->roles, state->server, &state->apis, &spec, error);
}

static int run_signal_wait(const run *state) {
    int signal_number = 0;
    while (sigwait(&state->signals, &signal_number) != 0)
        ;
    return signal_number;
}

/* True when a signal to end came within `timeout_ms`. */
static bool run_signal_came(const run *state, int64_t timeout_ms) {
    const struct timespec timeout = {.tv_sec = timeout_ms / CORE_MS_PER_S,
                                     .tv_nsec = timeout_ms % CORE_MS_PER_S * CORE_NS_PER_MS};
    int signal_number = sigtimedwait(&state->signals, NULL, &timeout);
    return signal_number > 0 && signal_number != SIGHUP;
}

/* "drained", or why the wait for it ended. */
static const char *run_drain(run *state) {
    const core_clock *clock = core_clock_system();
    int64_t deadline_ms =
        core_clock_ms(clock) + core_config_integer(state->config, "drain.timeout");
    cli_roles_drain(&state->roles);
    ws_server_drain(state->server);
    while (!cli_roles_drained(&state->roles) || !ws_server_drained(state->server)) {
        if (core_clock_ms(clock) >= deadline_ms)
            return "drain.timeout is over";
        if (run_signal_came(state, DRAIN_LOOK_MS))
            return "second signal";
    }
    return "drained";
}

static void run_until_signal(run *state) {
    int signal_number = run_signal_wait(state);
    for (; signal_number == SIGHUP; signal_number = run_signal_wait(state))
        ws_server_reload(state->server);
    CORE_LOG(state->log, INFO, "cli", "draining",
             CORE_LOG_TEXT("signal", strsignal(signal_number)));
    const char *outcome = run_drain(state);
    CORE_LOG(state->log, INFO, "cli", "stopping", CORE_LOG_TEXT("reason", outcome));
}

static void run_stop(run *state) {
    cli_roles_stop(&state->roles);
    if (state->server != NULL)
        ws_server_free(state->server);
    triggers_api_free(state->apis.triggers);
    search_api_free(state->apis.search);
    auth_limits_free(state->limits);
    auth_audit_free(state->audit);
    auth_verifier_free(state->verifier);
    core_metrics_free(state->metrics);
    core_log_free(state->log);
    core_config_free(state->config);
}

/* Options that stand for a key. */
static bool run_options_take(const cli_arguments *arguments, core_config *config,
                             core_error *error) {
    static const struct {
        const char *option;
        const char *key;
    } rows[] = {{"--roles", "roles"}, {"--on-gap", "cdc.on_gap"}};
    for (size_t i = 0; i < CORE_COUNT_OF(rows); i++) {
        const char *value = cli_value(arguments, rows[i].option);
        if (value != NULL && !core_config_set(config, rows[i].key, value, rows[i].option, error))
            return false;
    }
    return true;
}

cli_exit cli_command_run(const cli_arguments *arguments) {
    run state = {.config = cli_config_load(arguments)};
    core_error error;
    cli_exit result = CLI_OK;
    if (state.config == NULL)
        return CLI_USAGE;
    (void)sigemptyset(&state.signals);
    (void)sigaddset(&state.signals, SIGTERM);
    (void)sigaddset(&state.signals, SIGINT);
    (void)sigaddset(&state.signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &state.signals, NULL);
    if (!run_options_take(arguments, state.config, &error))
        result = cli_usage_fail("run", &error);
    else if (!run_tools_make(&state, &error))
        result = cli_fail(&error);
    else {
        run_descriptors_raise(state.log);
        if (run_start(&state, &error))
            run_until_signal(&state);
        else
            result = cli_fail(&error);
    }
    run_stop(&state);
    return result;
}
