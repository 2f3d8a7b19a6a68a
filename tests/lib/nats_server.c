/* Starts and ends a private nats-server; see nats_server.h. */
#include "tests/lib/nats_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_TIMEOUT_MS = 20000, STEP_MS = 5, PATH_SIZE = 128, FTW_DESCRIPTORS = 16 };

static void give_up(const char *what) {
    (void)fprintf(stderr, "nats_server: %s: %s\n", what, strerror(errno));
    abort();
}

static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static int free_port(void) {
    struct sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0 || bind(probe, (struct sockaddr *)&address, size) != 0 ||
        getsockname(probe, (struct sockaddr *)&address, &size) != 0)
        give_up("no free port");
    (void)close(probe);
    return ntohs(address.sin_port);
}

static bool takes_connections(int port) {
    struct sockaddr_in address = loopback(port);
    int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = probe >= 0 && connect(probe, (struct sockaddr *)&address, sizeof address) == 0;
    if (probe >= 0)
        (void)close(probe);
    return ok;
}

static void server_path(const nats_server *server, const char *name, char path[PATH_SIZE]) {
    (void)snprintf(path, PATH_SIZE, "%s/%s", server->directory, name);
}

void nats_server_configure(nats_server *server, const char *extra) {
    char path[PATH_SIZE];
    server_path(server, "nats.conf", path);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        give_up(path);
    (void)fprintf(file,
                  "listen: \"127.0.0.1:%d\"\n"
                  "jetstream { store_dir: \"%s/store\" }\n"
                  "%s\n",
                  server->port, server->directory, extra != NULL ? extra : "");
    if (fclose(file) != 0)
        give_up(path);
}

static void become_server(const nats_server *server, pid_t parent) {
    char configuration[PATH_SIZE], log[PATH_SIZE];
    server_path(server, "nats.conf", configuration);
    server_path(server, "nats.log", log);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
        _exit(126);
    (void)execlp("nats-server", "nats-server", "-c", configuration, "-l", log, (char *)NULL);
    (void)fprintf(stderr, "nats_server: nats-server is not in PATH: %s\n", strerror(errno));
    _exit(127);
}

void nats_server_restart(nats_server *server) {
    static const struct timespec step = {.tv_nsec = STEP_MS * 1000000L};
    nats_server_kill(server);
    pid_t parent = getpid();
    server->pid = fork();
    if (server->pid < 0)
        give_up("fork");
    if (server->pid == 0)
        become_server(server, parent);
    for (int waited = 0; !takes_connections(server->port); waited += STEP_MS) {
        if (waitpid(server->pid, NULL, WNOHANG) != 0 || waited > START_TIMEOUT_MS) {
            char log[PATH_SIZE];
            server_path(server, "nats.log", log);
            (void)fprintf(stderr, "nats_server: did not start, see %s\n", log);
            abort();
        }
        (void)nanosleep(&step, NULL);
    }
}

/* The name carries our pid, as those of tests/lib/scratch.mjs do, which sweep away what a killed
 * test left. */
void nats_server_start(nats_server *server, const char *extra) {
    *server = (nats_server){.port = free_port()};
    const char *base = getenv("TMPDIR");
    (void)snprintf(server->directory, sizeof server->directory, "%s/walcast-test-%d-XXXXXX",
                   base != NULL && strlen(base) < 32 ? base : "/tmp", (int)getpid());
    (void)snprintf(server->url, sizeof server->url, "nats://127.0.0.1:%d", server->port);
    if (mkdtemp(server->directory) == NULL)
        give_up("mkdtemp");
    nats_server_configure(server, extra);
    nats_server_restart(server);
}

void nats_server_pause(nats_server *server) {
    int status = 0;
    if (kill(server->pid, SIGSTOP) != 0 || waitpid(server->pid, &status, WUNTRACED) < 0 ||
        !WIFSTOPPED(status))
        give_up("pause");
}

void nats_server_resume(nats_server *server) {
    if (kill(server->pid, SIGCONT) != 0)
        give_up("resume");
}

void nats_server_kill(nats_server *server) {
    if (server->pid <= 0)
        return;
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    server->pid = 0;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk) {
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void nats_server_remove(nats_server *server) {
    nats_server_kill(server);
    (void)nftw(server->directory, remove_one, FTW_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}
