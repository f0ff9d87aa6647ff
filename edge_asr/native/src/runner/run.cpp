#include "run.h"

#include "interrupt.h"
#include "memory_use.h"
#include "screen.h"

namespace edge_asr::runner {
namespace {

using Milliseconds = std::chrono::duration<double, std::milli>;

}  // namespace

double Start::ms() const { return before_main_ms + Milliseconds(std::chrono::steady_clock::now() - main).count(); }

Run::Run(const Options& options, const Start& start)
    : options_(options), start_(start), model_((set_threads(options), options.model)), progress_(options) {
  stream_.emplace(model_, options.threshold);
  const MemoryUse loaded = memory_use();
  release_library_pages();
  const float threshold =
      options.threshold == EDGE_ASR_DEFAULT_THRESHOLD ? model_.metadata().default_threshold : options.threshold;
  identity_ = {options.model, crc32_of_trailer(options.model), model_.metadata().json, threshold, options.threads,
               start.ms()};
  bench_.before_main_ms = start.before_main_ms;
  bench_.load_ms = start.ms() - start.before_main_ms;
  bench_.after_load_bytes = loaded.resident_bytes;
  bench_.peak_after_load_bytes = loaded.peak_resident_bytes;
  bench_.planned_bytes = model_.planned_bytes();
}

bool Run::all() {
  bool all_good = true;
  for (std::int64_t pass = 1; pass <= options_.repeat && !interrupted(); ++pass) {
    for (const std::string& name : options_.inputs) {
      if (interrupted()) break;
      all_good = one(name, pass) && all_good;
    }
  }
  if (options_.bench) print(options_.json ? bench_line(bench_, identity_) : bench_table(bench_, identity_));
  return all_good;
}

bool Run::one(const std::string& name, std::int64_t pass) {
  name_ = name;
  pass_ = pass;
  came_ = false;
  const bool keeps_words = options_.json && !options_.json_steps && !options_.bench;
  transcript_ = Transcript{keeps_words, keeps_words || options_.bench};
  display_.emplace(options_, name);
  if (used_) stream_->restart();
  used_ = true;
  Outcome outcome;
  std::string shown_name = name == "-" ? "stdin" : name;
  try {
    AudioSource source(name, options_.audio, model_.metadata().sample_rate_hz);
    hear(source, outcome);
  } catch (const BadInput& bad) {  // or a header that a signal kept from coming
    outcome.interrupted = interrupted();
    if (!outcome.interrupted) outcome.error = bad.text();
    if (outcome.interrupted) display_->finish();
  } catch (...) {
    display_->abandon();
    throw;
  }
  tell(outcome, shown_name);
  return outcome.error.empty();
}

// Whatever ends the input, what was heard before it is not lost.
void Run::hear(AudioSource& source, Outcome& outcome) {
  try {
    listen(source);
  } catch (const BadInput& bad) {
    outcome.error = bad.text();
  }
  outcome.interrupted = interrupted();
  if (!came_ && !outcome.interrupted) return;
  outcome.warnings = source.warnings();
  try {
    step(source.name(), [&]() -> auto& { return stream_->finish(); });
    display_->finish();
  } catch (const BadInput& bad) {
    display_->abandon();
    if (outcome.error.empty()) outcome.error = bad.text();
  }
}

void Run::listen(AudioSource& source) {
  for (const auto* samples = &source.next(); !samples->empty(); samples = &source.next()) {
    step(source.name(), [&]() -> auto& { return stream_->accept(samples->data(), samples->size()); });
    came_ = true;
    progress_.heard(pass_, static_cast<double>(samples->size()) / model_.metadata().sample_rate_hz);
  }
  if (!came_ && !interrupted()) throw BadInput(source.name(), "no samples: record it again");
}

template <typename Call>
void Run::step(const std::string& name, Call call) {
  const auto started = std::chrono::steady_clock::now();
  const edge_asr_update* update = nullptr;
  try {
    update = &call();
  } catch (const Trouble& trouble) {
    throw BadInput(name, trouble.what());
  }
  take(*update, Milliseconds(std::chrono::steady_clock::now() - started).count());
}

void Run::take(const edge_asr_update& update, double call_ms) {
  const bool changed = transcript_.take(update, call_ms);
  if (update.step_count > 0 && bench_.first_result_ms == 0.0) bench_.first_result_ms = start_.ms();
  if (options_.json_steps && (changed || update.step_count > 0)) {
    print(update_line(name_, pass_, transcript_, update, call_ms));
  }
  if (changed) display_->heard(transcript_);
}

void Run::tell(const Outcome& outcome, const std::string& shown_name) {
  const bool was_heard = came_ || outcome.interrupted;
  if (options_.bench && was_heard) bench_.take(transcript_);
  if (options_.json && !options_.bench) {
    print(was_heard ? file_line(identity_, name_, pass_, outcome, transcript_)
                    : error_line(name_, pass_, outcome.error));
  }
  if (!outcome.warnings.empty() || !outcome.error.empty()) progress_.clear();
  for (const std::string& warning : outcome.warnings) {
    if (pass_ == 1) complain("warning: " + shown_name + ": " + warning);
  }
  if (!outcome.error.empty()) complain(shown_name + ": " + outcome.error);
}

}  // namespace edge_asr::runner
