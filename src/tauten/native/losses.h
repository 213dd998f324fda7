// Losses of a batch's outputs, and their gradients.
#pragma once

#include "forward.h"

namespace tauten {

// As tauten/engines/native.py numbers the tasks.
constexpr int64_t CROSS_ENTROPY = 1, OVER_LABELS = 2;

struct Losses {
    const tauten_plan& plan;
    Space& space;
    int columns, batch;

    // The mean over rows, each times its weight; the gradient goes to `inner`.
    double run() const {
        return plan.loss == CROSS_ENTROPY ? cross_entropy() : plan.loss == OVER_LABELS ? over_labels() : squared_error();
    }

   private:
    // Of class probabilities, which hold their row's weight.
    double cross_entropy() const {
        const Panels<float> out = space.panels(space.out), inner = space.panels(space.inner);
        const int classes = (int)plan.outputs;
        V total{};
        for (int c = 0; c < columns; c += LANES) {
            const int p = c / WIDTH, at = c % WIDTH;
            const float* y = space.targets.data() + c;
            V top = load(out.at(p, 0) + at);
            for (int k = 1; k < classes; k++) top = largest(top, load(out.at(p, k) + at));
            V sum_exp{}, mass{}, dot{};
            for (int k = 0; k < classes; k++) {
                const V shifted = load(out.at(p, k) + at) - top, e = exponential(shifted), own = load(y + (int64_t)k * columns);
                store(inner.at(p, k) + at, e);
                sum_exp += e;
                mass += own;
                dot = fma(own, shifted, dot);
            }
            const V loss = fma(mass, logarithm(sum_exp), -dot), factor = mass / (sum_exp * (float)batch);
            total += c + LANES <= batch ? loss : pick(real(c, batch), loss, V{});
            for (int k = 0; k < classes; k++) {
                float* g = inner.at(p, k) + at;
                const V own = fma(load(g), factor, load(y + (int64_t)k * columns) * (-1.0f / batch));
                store(g, c + LANES <= batch ? own : pick(real(c, batch), own, V{}));
            }
        }
        return (double)sum(total) / batch;
    }

    double squared_error() const {
        return each_output([](V out, V y) {
            const V error = out - y;
            return Loss{error * error, error * 2.0f};
        });
    }

    // Cross-entropy of every label on its own: z is the logit of two classes with (0, z).
    double over_labels() const {
        return each_output([](V out, V y) {
            const V top = largest(out, V{});
            const V sum_exp = exponential(-top) + exponential(out - top);
            return Loss{top + logarithm(sum_exp) - y * out, exponential(out - top) / sum_exp - y};
        });
    }

    struct Loss {
        V value, slope;
    };

    // A loss of every output on its own, mean over outputs and rows.
    template <class F>
    double each_output(F f) const {
        const Panels<float> out = space.panels(space.out), inner = space.panels(space.inner);
        const float each = 1.0f / (float)(batch * plan.outputs);
        V total{};
        for (int k = 0; k < plan.outputs; k++)
            for (int c = 0; c < columns; c += LANES) {
                const int p = c / WIDTH, at = c % WIDTH;
                Loss own = f(load(out.at(p, k) + at), load(space.targets.data() + (int64_t)k * columns + c));
                const V weight = load(space.weights.data() + c);
                own = {own.value * weight, own.slope * weight};
                if (c + LANES > batch) own = {pick(real(c, batch), own.value, V{}), pick(real(c, batch), own.slope, V{})};
                total += own.value;
                store(inner.at(p, k) + at, own.slope * each);
            }
        return (double)sum(total) * each;
    }
};

}  // namespace tauten
