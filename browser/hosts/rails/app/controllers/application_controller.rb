class ApplicationController < ActionController::Base
  before_action :require_login

  private

  def current_user = session[:user_id] && Person.new(session[:user_id], 'alice')

  def require_login = current_user || redirect_to('/login')
end
