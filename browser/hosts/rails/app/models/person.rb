# The person who is signed in.
Person = Struct.new(:id, :name) do
  def projects = JSON.parse(Rails.root.join('members.json').read).select { |_, names| names.include?(name) }.keys

  def member_of?(project) = projects.include?(project)
end
