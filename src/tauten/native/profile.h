// Where the time goes, for `benchmarks/limits.py`: compiled in only with TAUTEN_PROFILE.
#pragma once

#include <cstdint>

namespace tauten {

enum Part { OUTSIDE, OTHER, PRODUCTS, OPTIMIZER, DRAWS, NORMALIZATION, PARTS };

#ifdef TAUTEN_PROFILE
struct Clock {
    int64_t spent[PARTS] = {};
    int64_t since = now();
    Part part = OUTSIDE;

    static int64_t now() { return (int64_t)__builtin_ia32_rdtsc(); }

    Part enter(Part next) {
        const int64_t at = now();
        const Part before = part;
        spent[before] += at - since;
        since = at;
        part = next;
        return before;
    }
};
inline thread_local Clock ticking;

// Time is booked to the part from here to the end of the block, except for what inner blocks book elsewhere.
class In {
   public:
    explicit In(Part part) : before_(ticking.enter(part)) {}
    ~In() { ticking.enter(before_); }
    In(const In&) = delete;

   private:
    Part before_;
};
#else
struct In {
    explicit In(Part) {}
    ~In() {}
};
#endif

}  // namespace tauten
