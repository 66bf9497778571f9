/* Lets a Python process say which part of it callgrind counts; without callgrind these calls do nothing. */
#include <valgrind/callgrind.h>

void counting_on(void) {
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
}

void counting_off(void) {
    CALLGRIND_DUMP_STATS;
    CALLGRIND_STOP_INSTRUMENTATION;
}
