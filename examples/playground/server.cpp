#include "server.hpp"

#include <autograd/tensor/creation.hpp>
#include <autograd/tensor/error.hpp>
#include <autograd/tensor/format.hpp>
#include <autograd/text/json.hpp>
#include <autograd/text/utf8.hpp>

#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>
#include <vector>

#include "page.hpp"
#include "session.hpp"

namespace playground {

using namespace xgrad;
using namespace std::chrono_literals;
using httplib::Request;
using httplib::Response;

namespace {

constexpr std::size_t largest_request = 1 << 20;
constexpr auto longest_silence = 5s;  // of a client in the middle of a request or an answer
constexpr auto left = 5s;             // not used for so long, a session has no page that is shown
constexpr std::size_t threads_for_pages = 8, threads_of_a_session = 8;

/// An answer that is no success.
struct Refusal {
  int status;
  std::string text;
};

void refuse(Response& response, const Refusal& refusal) {
  std::string line = printable(refusal.text.substr(0, 500));
  std::replace(line.begin(), line.end(), '\n', ' ');
  response.status = refusal.status;
  response.set_content(line + "\n", "text/plain; charset=utf-8");
}

/// Runs a handler; what it throws becomes a line of text.
template <class F>
auto guarded(F handler) {
  return [handler](const Request& request, Response& response) {
    try {
      handler(request, response);
    } catch (const Refusal& refusal) {
      refuse(response, refusal);
    } catch (const Json::exception& error) {
      refuse(response, {400, std::string("request: ") + error.what()});
    } catch (const Error& error) {
      refuse(response, {400, error.what()});
    } catch (const std::exception& error) {
      refuse(response, {500, error.what()});
    }
  };
}

void answer(Response& response, const Json& json) { response.set_content(json_text(json, -1), "application/json"); }

/// Unguessable, so that tabs keep to themselves.
std::string new_id() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

bool is_ipv4(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789.") == std::string::npos;
}

/// Ends what this process says and hears on its connections at a port: threads of httplib, which has no way to end a
/// connection that waits, go on at once.
void hang_up(int port) {
  constexpr int most_descriptors = 4096;
  for (int descriptor = 0; descriptor < most_descriptors; ++descriptor) {
    sockaddr_in own{};
    sockaddr_storage other{};
    socklen_t own_size = sizeof own, other_size = sizeof other;
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &own_size) != 0 || own.sin_family != AF_INET ||
        ntohs(own.sin_port) != port)
      continue;
    if (getpeername(descriptor, reinterpret_cast<sockaddr*>(&other), &other_size) == 0) shutdown(descriptor, SHUT_RDWR);
  }
}

}  // namespace

struct Server::State {
  ServerOptions options;
  int port = 0;
  httplib::Server http;
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<Session>> sessions;
  std::atomic<bool> stopping{false};
  std::thread listener;

  std::shared_ptr<Session> find(const Request& request) {
    const std::lock_guard lock(mutex);
    const auto found = sessions.find(request.matches[1].str());
    if (found == sessions.end()) throw Refusal{410, "this session has ended; load the page again to begin another"};
    return found->second;
  }

  bool full() const { return sessions.size() >= static_cast<std::size_t>(options.sessions); }

  /// Ends sessions that nobody uses and, where there are as many as there may be, the one that was left first.
  void sweep() {
    using Seconds = std::chrono::duration<double>;
    std::vector<std::shared_ptr<Session>> ended;  // their threads end outside of the lock
    const std::lock_guard lock(mutex);
    const auto end = [&](auto session) {
      session->second->close();
      ended.push_back(std::move(session->second));
      return sessions.erase(session);
    };
    const auto unused = [](const auto& session) { return Seconds(Session::Clock::now() - session.second->last_use()); };
    for (auto it = sessions.begin(); it != sessions.end();)
      it = unused(*it) > Seconds(options.idle_seconds) ? end(it) : std::next(it);
    if (!full()) return;
    const auto first = std::max_element(sessions.begin(), sessions.end(),
                                        [&](const auto& a, const auto& b) { return unused(a) < unused(b); });
    if (unused(*first) > left) end(first);
  }

  void open(const Request& request, Response& response) {
    Settings settings;
    if (!request.body.empty()) {
      const Json body = Json::parse(request.body);
      const auto address = body.is_object() ? body.find("address") : body.end();
      if (address == body.end() || !address->is_string()) throw Refusal{400, R"(request: need {"address": text})"};
      settings = from_address(address->get<std::string>());
    }
    sweep();
    const Refusal too_many{503, fmt::format("{} sessions are open, as many as there may be; close a tab, or begin with "
                                            "a larger --sessions",
                                            options.sessions)};
    {
      const std::lock_guard lock(mutex);
      if (full()) throw too_many;
    }
    const std::string id = new_id();
    const auto session = std::make_shared<Session>(settings);
    {
      const std::lock_guard lock(mutex);
      if (full()) throw too_many;
      sessions.emplace(id, session);
    }
    answer(response, {{"session", id}, {"state", session->command({{"command", "state"}})}});
  }

  void stream(const Request& request, Response& response) {
    const std::shared_ptr<Session> session = find(request);
    response.set_header("Cache-Control", "no-store");
    response.set_chunked_content_provider(
        "text/event-stream", [this, session, seen = std::uint64_t{0}](std::size_t, httplib::DataSink& sink) mutable {
          const auto frame = session->next_frame(seen, 1s);
          if (stopping || session->closed()) {
            sink.done();
            return true;
          }
          if (frame) seen = frame->number;
          const std::string text = frame ? "data: " + frame->json + "\n\n" : ": nothing new\n\n";
          return sink.write(text.data(), text.size());
        });
  }

  bool is_own(const std::string& host) const {
    const std::string suffix = fmt::format(":{}", port);
    if (!host.ends_with(suffix)) return false;
    const std::string name = host.substr(0, host.size() - suffix.size());
    if (name == options.host) return true;
    if (options.host == "127.0.0.1") return name == "localhost";
    // Bound to every address: a number is no name that somebody else could point here.
    return options.host == "0.0.0.0" && (is_ipv4(name) || name == "localhost");
  }

  httplib::Server::HandlerResponse admit(const Request& request, Response& response) const {
    using Result = httplib::Server::HandlerResponse;
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' "
                        "data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    response.set_header("X-Content-Type-Options", "nosniff");
    response.set_header("Cross-Origin-Resource-Policy", "same-origin");
    response.set_header("Referrer-Policy", "no-referrer");
    const std::string host = request.get_header_value("Host");
    if (!is_own(host) || request.get_header_value_count("Host") != 1) {
      refuse(response, {403, fmt::format("the host '{}' is not served here", host.substr(0, 80))});
      return Result::Handled;
    }
    if (request.has_header("Origin") && request.get_header_value("Origin") != "http://" + host) {
      refuse(response, {403, "pages of other sites may not use the playground"});
      return Result::Handled;
    }
    return Result::Unhandled;
  }

  void route() {
    for (const auto& [path, file, type] : {std::tuple("/", "page.html", "text/html; charset=utf-8"),
                                           std::tuple("/page.css", "page.css", "text/css; charset=utf-8"),
                                           std::tuple("/page.js", "page.js", "text/javascript; charset=utf-8")})
      http.Get(path, [file = file, type = type](const Request&, Response& response) {
        const std::string_view text = page_file(file);
        response.set_header("Cache-Control", "no-cache");
        response.set_content(text.data(), text.size(), type);
      });
    http.Get("/controls", guarded([](const Request&, Response& response) { answer(response, controls_json()); }));
    http.Post("/session", guarded([this](const Request& request, Response& response) { open(request, response); }));
    constexpr const char* one = "/session/([0-9a-f]{32})";
    http.Post(one, guarded([this](const Request& request, Response& response) {
                const std::shared_ptr<Session> session = find(request);
                answer(response, session->command(Json::parse(request.body)));
              }));
    http.Delete(one, guarded([this](const Request& request, Response& response) {
                  const std::shared_ptr<Session> session = find(request);
                  session->close();
                  const std::lock_guard lock(mutex);
                  sessions.erase(request.matches[1].str());
                  answer(response, Json::object());
                }));
    http.Get(std::string(one) + "/frames",
             guarded([this](const Request& request, Response& response) { stream(request, response); }));
    http.Get(std::string(one) + "/model", guarded([this](const Request& request, Response& response) {
               response.set_content(find(request)->saved_model(), "application/octet-stream");
             }));
    http.Post(std::string(one) + "/model", guarded([this](const Request& request, Response& response) {
                answer(response, find(request)->load_model(request.body));
              }));
    http.set_pre_routing_handler(
        [this](const Request& request, Response& response) { return admit(request, response); });
    http.set_error_handler([](const Request&, Response& response) {
      if (!response.body.empty()) return;
      const bool large = response.status == 413;
      refuse(response, {400, large ? "request: more than 1 MiB" : "request: malformed or unknown"});
    });
  }

  void bind() {
    http.set_socket_options([](socket_t socket) {
      const int yes = 1;  // without SO_REUSEPORT, by which another program could listen here too
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    });
    http.set_tcp_nodelay(true);
    http.set_payload_max_length(largest_request);
    http.set_read_timeout(longest_silence);
    http.set_write_timeout(longest_silence);
    http.set_keep_alive_max_count(100'000);
    const std::size_t threads = threads_for_pages + threads_of_a_session * static_cast<std::size_t>(options.sessions);
    http.new_task_queue = [threads] { return new httplib::ThreadPool(threads); };
    port = options.port == 0 ? http.bind_to_any_port(options.host) : static_cast<int>(options.port);
    const bool bound = options.port == 0 ? port > 0 : http.bind_to_port(options.host, port);
    if (!bound)
      throw_as<ValueError>("playground: cannot listen on {}{}", options.host,
                           options.port == 0 ? "" : fmt::format(":{}; is another program there?", options.port));
  }
};

Server::Server(const ServerOptions& options) : state_(std::make_unique<State>()) {
  state_->options = options;
  state_->route();
  state_->bind();
  state_->listener = std::thread([state = state_.get()] { state->http.listen_after_bind(); });
}

Server::~Server() {
  state_->stopping = true;
  {
    const std::lock_guard lock(state_->mutex);
    for (const auto& [id, session] : state_->sessions) session->close();
  }
  state_->http.stop();
  hang_up(state_->port);
  state_->listener.join();
}

std::string Server::address() const { return fmt::format("http://{}:{}/", state_->options.host, state_->port); }

}  // namespace playground
