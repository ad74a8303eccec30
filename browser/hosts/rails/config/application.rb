require 'action_controller/railtie'

class Site < Rails::Application
  config.load_defaults 6.1
  config.eager_load = true
  config.logger = Logger.new($stderr)
  config.secret_key_base = ENV.fetch('SESSION_SECRET')
  config.session_store :cookie_store, key: 'session', secure: true
end
