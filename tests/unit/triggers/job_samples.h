/* Jobs for tests: ids of a number, so that failures can be read. */
#ifndef WALCAST_TESTS_UNIT_TRIGGERS_JOB_SAMPLES_H
#define WALCAST_TESTS_UNIT_TRIGGERS_JOB_SAMPLES_H

#include "triggers/job.h"

#define SAMPLE_START_US INT64_C(1800000000000000)

/* Ready at once; the number is its payload too, in `digits` of the caller's. */
static inline triggers_job job_sample(uint32_t number, const char *queue, char digits[16]) {
    triggers_job job = triggers_job_defaults();
    uint8_t random[10] = {0};
    memcpy(random, &number, sizeof number);
    triggers_job_id_write(7, SAMPLE_START_US + number, random, job.id);
    core_buffer text = core_buffer_over(digits, 16);
    core_buffer_format(&text, "%u", number);
    job.project = core_slice_text("acme");
    job.queue = core_slice_text(queue);
    job.payload = core_buffer_slice(&text);
    job.created_us = job.run_at_us = SAMPLE_START_US;
    job.backoff_first_ms = 1000;
    job.timeout_ms = 10000;
    return job;
}

#endif
