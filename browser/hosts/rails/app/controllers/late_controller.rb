# A view for the presence server that the redirect to the login page comes before.
class LateController < ApplicationController
  def show = head(:ok)
end
