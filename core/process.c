/* Figures from /proc/self and getrusage; see process.h. Names and units are those that Prometheus's
 * client libraries agreed on, so that stock dashboards know them. */
#include "core/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROCESS_FILE_MAX 1024

void core_process_metric_append(core_buffer *out, const char *name, const char *type,
                                const char *doc, uint64_t value) {
    core_buffer_format(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, doc, name, type, name,
                       (unsigned long long)value);
}

/* A whole small file of /proc as text. */
static bool process_file_read(const char *path, char text[PROCESS_FILE_MAX]) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t got = read(fd, text, PROCESS_FILE_MAX - 1);
    (void)close(fd);
    text[got > 0 ? got : 0] = '\0';
    return got > 0;
}

/* /proc/self/statm: size and resident set in pages. */
static void process_memory_write(core_buffer *out) {
    char text[PROCESS_FILE_MAX];
    unsigned long long virtual_pages, resident_pages;
    if (!process_file_read("/proc/self/statm", text) ||
        sscanf(text, "%llu %llu", &virtual_pages, &resident_pages) != 2)
        return;
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    core_process_metric_append(out, "process_resident_memory_bytes", "gauge",
                               "Resident memory size in bytes.", resident_pages * page_bytes);
    core_process_metric_append(out, "process_virtual_memory_bytes", "gauge",
                               "Virtual memory size in bytes.", virtual_pages * page_bytes);
}

static void process_cpu_write(core_buffer *out) {
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    int64_t spent_us = (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
                       usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    core_buffer_format(out,
                       "# HELP process_cpu_seconds_total User and system CPU time spent.\n"
                       "# TYPE process_cpu_seconds_total counter\n"
                       "process_cpu_seconds_total %lld.%06lld\n",
                       (long long)spent_us / 1000000, (long long)spent_us % 1000000);
}

/* Since Linux 6.2 the directory's size is the count; before, it is 0 and entries are counted. */
static bool process_fds_count(uint64_t *count) {
    struct stat status;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0) {
        *count = (uint64_t)status.st_size;
        return true;
    }
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return false;
    *count = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        *count += entry->d_name[0] != '.';
    (*count)--; /* the directory's own */
    (void)closedir(directory);
    return true;
}

static void process_fds_write(core_buffer *out) {
    uint64_t count;
    if (process_fds_count(&count))
        core_process_metric_append(out, "process_open_fds", "gauge", "Open file descriptors.",
                                   count);
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        core_process_metric_append(out, "process_max_fds", "gauge",
                                   "Maximum number of open file descriptors.", limit.rlim_cur);
}

/* Field 22 of /proc/self/stat in clock ticks since boot, on /proc/stat's boot time. The command in
 * field 2 may hold blanks and brackets, so fields count from the last ')'. */
static bool process_start_ticks(unsigned long long *ticks) {
    char text[PROCESS_FILE_MAX];
    const char *after = process_file_read("/proc/self/stat", text) ? strrchr(text, ')') : NULL;
    return after != NULL && sscanf(after + 1,
                                   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d"
                                   " %*d %*d %*d %*d %llu",
                                   ticks) == 1;
}

static bool process_boot_time(unsigned long long *seconds) {
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return false;
    char line[PROCESS_FILE_MAX];
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "btime %llu", seconds) == 1;
    (void)fclose(file);
    return found;
}

static void process_start_write(core_buffer *out) {
    unsigned long long ticks, boot_s;
    if (!process_start_ticks(&ticks) || !process_boot_time(&boot_s))
        return;
    core_process_metric_append(out, "process_start_time_seconds", "gauge",
                               "Start time of the process since the Unix epoch in seconds.",
                               boot_s + ticks / (unsigned long long)sysconf(_SC_CLK_TCK));
}

void core_process_metrics_write(core_buffer *out) {
    process_memory_write(out);
    process_cpu_write(out);
    process_fds_write(out);
    process_start_write(out);
}
